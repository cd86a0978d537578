"""The person behind a call, as Supabase vouches for them."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True)
class SupabaseUser:
    """A signed-in user of Supabase: `request.user` of a DRF view. `email` and `session_id` may be empty.

    Nothing but `id` is an authority; whoever is staff works with an account of Django, never with this.
    """

    id: UUID
    email: str
    session_id: str

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    @property
    def pk(self) -> UUID:
        return self.id
