"""Celery, what beat starts and when, and the bridge between pgmq's queues and Celery's."""

from celery.schedules import crontab

from balansity.settings.database import REDIS_URL
from balansity.settings.environment import BASE_DIR, SANDBOX, env
from balansity.settings.redis_address import broker_address
from balansity.settings.web import TIME_ZONE

# Celery runs, times and retries the work; the pgmq row owns it (docs/architecture.md). So nothing here is for safety.
CELERY_BROKER_URL = broker_address(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Without these a publish to a peer that vanished hangs for ever.
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
# No task waits behind a child that is busy, or has no connection, while another worker is idle.
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A child takes its connection before it says that it is up, and a full pooler lets it wait.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 30.0
# Children of one worker, each with a connection to Postgres. `-c` on the command line counts instead.
WORKER_CONCURRENCY = env.integer("WORKER_CONCURRENCY", 2, least=1, most=256)
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY
CELERY_WORKER_CONSUMER = "balansity.celery.consumer:Consumer"
# Python gives little memory back: a child that has grown is replaced after its task. In KiB.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1024 * env.integer("WORKER_MAX_MEMORY_MB", 400, least=200, most=65_536)
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_TIMEZONE = TIME_ZONE
# Django's fix-up would look at the connection before and after each task; a broken one is noticed and replaced in
# bridge.worker.task, where the work can be repeated. 0 would mean "always".
CELERY_DB_REUSE_MAX = 1_000_000
CELERY_BEAT_SCHEDULE = {
    "archive-retention": {"task": "bridge.prune_archives", "schedule": 3600.0},
    # One that came late is not wanted besides the next: workers that were away are not to find hundreds of them.
    "roll-up": {"task": "bridge.add_to_rollup", "schedule": 15.0, "options": {"expires": 60}},
    "roll-up-tidy": {"task": "bridge.tidy_rollup", "schedule": 3600.0},
    "row-counts": {"task": "balansity.count_rows", "schedule": 60.0, "options": {"expires": 120}},
    "bridge-processes": {"task": "bridge.forget_dead_bridges", "schedule": 3600.0},
    "operators-acts": {"task": "bridge.carry_out_forsaken_acts", "schedule": 60.0},
    "hung-listeners": {"task": "bridge.end_hung_listeners", "schedule": 60.0},
    "stuck-sending": {"task": "notifications.check_stuck_emails", "schedule": 300.0},
    "email-bodies": {"task": "notifications.forget_old_bodies", "schedule": 86400.0},
    "staff-incidents": {"task": "balansity.tell_incidents", "schedule": 60.0},
    # It looks at the clock itself: a beat that was away at eight must not cost a day.
    "staff-digest": {"task": "balansity.tell_digest", "schedule": 60.0},
    "old-logins": {"task": "balansity.forget_old_logins", "schedule": 86400.0},
    "payment-checks": {"task": "payments.queue_due_checks", "schedule": 30.0},
    "held-consultations": {"task": "payments.give_held", "schedule": 15.0},
    "lost-notifications": {"task": "payments.queue_lost_notifications", "schedule": 300.0},
    "recent-payments": {"task": "payments.compare_recent", "schedule": 900.0, "args": (3,)},
    # What a whole day of silence may have hidden.
    "payments-of-the-week": {"task": "payments.compare_recent", "schedule": crontab(hour=4, minute=10), "args": (168,)},
    "idempotency-keys": {"task": "payments.forget_old_keys", "schedule": 86400.0},
    "paid-but-unfulfilled": {"task": "payments.flag_unfulfilled", "schedule": crontab(hour=3, minute=40)},
    "report-leftovers": {"task": "reports.remove_leftovers", "schedule": 300.0},
    "abandoned-reports": {"task": "reports.forget_abandoned", "schedule": 3600.0},
    "stuck-reports": {"task": "reports.check_stuck_reports", "schedule": 300.0},
}
# As often as beat's heart beats; it sleeps until the next task is due, and no longer than this.
CELERY_BEAT_MAX_LOOP_INTERVAL = 10
CELERY_BEAT_SCHEDULER = "balansity.celery.schedule_file:SturdyScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = env.text("CELERY_BEAT_SCHEDULE_FILE", str(BASE_DIR / "logs" / "celerybeat-schedule"))

# Called once a minute as long as bridge, worker and beat all live. Whoever knows it can keep the alarm from sounding.
HEARTBEAT_URL = env.secret_address("HEARTBEAT_URL")
WORKER_INTERVAL_MS = env.integer("WORKER_INTERVAL_MS", 5000, least=10, most=3_600_000)
MAX_TASKS_PER_CYCLE = env.integer("MAX_TASKS_PER_CYCLE", 10, least=1, most=1000)
BRIDGE_DISPATCH_LEASE = env.integer("BRIDGE_DISPATCH_LEASE", 120, least=2, most=86_400)
# How much longer than its hard time limit an attempt owns its message. Only demo and tests wait for lost workers.
BRIDGE_LEASE_MARGIN = env.integer("BRIDGE_LEASE_MARGIN", 10, least=1 if SANDBOX else 5, most=3600)
BRIDGE_ARCHIVE_DAYS = env.integer("BRIDGE_ARCHIVE_DAYS", 90, least=1, most=36_500)
# Only demo and tests shorten the waits between attempts.
BRIDGE_DELAY_SCALE = env.number("BRIDGE_DELAY_SCALE", 1.0, least=0.001, most=1.0)
if BRIDGE_DELAY_SCALE != 1.0 and not SANDBOX:
    env.problem("BRIDGE_DELAY_SCALE is for the sandbox: remove it in production")
