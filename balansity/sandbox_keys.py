"""What signs in a sandbox, and so is known to everybody: the settings of production refuse it.

Apart from the settings, which cannot be read before there is a sandbox.
"""

SANDBOX_KEY = "sandbox-only-secret-key-that-production-refuses"
# Signs the tokens of the sandbox's own users.
SANDBOX_JWT_SECRET = "sandbox-only-jwt-secret-that-production-refuses"  # noqa: S105
SANDBOX_JWT_ISSUER = "http://supabase.sandbox/auth/v1"
