"""Which act is which kind of fault."""

from collections.abc import Callable

from sandbox.chaos.harm import outside, processes, services
from sandbox.chaos.scene import Act, Scene
from sandbox.chaos.surroundings import PROVIDER_SECONDS, STORAGE_SECONDS


def _of(name: str, act: Act) -> Act:
    """The act on the one process of this name."""
    return lambda scene, _: act(scene, name)


def _service_asleep(pid_of: Callable[[Scene], int]) -> Act:
    return lambda scene, _: services.asleep(pid_of(scene))


ACTS: dict[str, Act] = {
    "web_kill": _of("web", processes.kill),
    "web_child_kill": _of("web", processes.kill_child),
    "web_stop": _of("web", processes.nap),
    "web_restart": _of("web", processes.restart),
    "web_starve": _of("web", processes.starve),
    "bridge_kill": processes.kill,
    "bridge_stop": processes.nap,
    "bridge_restart": processes.restart,
    "bridge_starve": processes.starve,
    "worker_kill": processes.kill,
    "worker_stop": processes.oversleep,
    "worker_restart": processes.restart,
    "worker_starve": processes.starve,
    "parent_kill": processes.kill_parent,
    "child_kill": processes.kill_child,
    "child_stop": processes.stop_child,
    "beat_kill": _of("beat", processes.kill),
    "beat_stop": _of("beat", processes.nap),
    "beat_restart": _of("beat", processes.restart),
    "broker_kill": services.broker_killed,
    "broker_wipe": services.broker_wiped,
    "broker_flush": services.broker_flushed,
    "broker_stop": _service_asleep(lambda scene: scene.sandbox.broker.pid),
    "broker_double": services.broker_doubled,
    "postgres_fast": services.postgres(at_once=False),
    "postgres_immediate": services.postgres(at_once=True),
    "postgres_backend": services.backend_killed,
    "mail_kill": services.mail_killed,
    "mail_outage": services.mail_killed,
    "mail_stop": _service_asleep(lambda scene: scene.sandbox.mail.pid),
    "yookassa_slow": outside.yookassa("slow", seconds=PROVIDER_SECONDS * 0.7),
    "yookassa_silent": outside.yookassa("silent"),
    "yookassa_500": outside.yookassa("500"),
    "yookassa_broken": outside.yookassa("broken_json"),
    "yookassa_reset": outside.yookassa("reset"),
    # It takes effect, and nobody hears of it.
    "yookassa_unheard": outside.yookassa("reset", after=True),
    "yookassa_outage": outside.yookassa("html_502"),
    "notifications_copied": outside.notifications(copies=5),
    "notifications_reversed": outside.notifications(hold=True, copies=2),
    "notifications_late": outside.notifications(delay=4.0),
    "storage_slow": outside.storage("slow", seconds=STORAGE_SECONDS * 0.7),
    "storage_silent": outside.storage("silent"),
    "storage_500": outside.storage("status", status=500),
    "storage_broken": outside.storage("broken_json"),
    "storage_reset": outside.storage("reset", after=True),
    "storage_truncated": outside.storage("truncate"),
    "storage_outage": outside.storage("html"),
    "queue_paused": outside.queue_paused,
}
