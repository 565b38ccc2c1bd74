"""Every metric of the house, declared once; their names are a promise to dashboards and alert rules.

Labels hold brands, topics and outcomes, never a text, an author or a URL. Durations are in seconds.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# ingest; `source` is a source's id in tocsin.yaml, or `http`

MENTIONS_RECEIVED = Counter(
    "tocsin_mentions_received_total",
    "What sources delivered, by source and outcome: published, unmatched (no brand), removed, rejected.",
    ["source", "outcome"],
)
MENTIONS_REJECTED = Counter(
    "tocsin_mentions_rejected_total",
    "What could not be made a mention, by source and the first wrong field (`whole` where it is no object at all).",
    ["source", "field"],
)
REQUESTS_PUSHED_BACK = Counter(
    "tocsin_requests_pushed_back_total", "POST /v1/mentions answered 429, because the bus was full."
)
SOURCE_HELD = Gauge("tocsin_source_held", "1 where this process holds the lease of a source and reads it.", ["source"])
SOURCE_FAILURES = Counter(
    "tocsin_source_failures_total", "Times a source could not be read; it is tried again, ever later.", ["source"]
)
SOURCE_LAST_READ = Gauge(
    "tocsin_source_last_read_timestamp_seconds", "When a source was last read without a failure, Unix time.", ["source"]
)
SOURCE_LAG = Gauge(
    "tocsin_source_lag_seconds", "From publication to receipt, of the newest mention of a source.", ["source"]
)
TICKS = Counter("tocsin_ticks_total", "Ticks put on the bus, one a partition every 15 seconds.")

# classify

MENTIONS_CLASSIFIED = Counter(
    "tocsin_mentions_classified_total",
    "Classified records made, one a mention and brand, by brand and where the labels come from (model, copy, none).",
    ["brand", "labels"],
)

# alert: handler and relay

RECORDS_WRITTEN = Counter(
    "tocsin_records_written_total",
    "Records merged into the database, by effect: created, updated, relabelled, removed, unchanged, suppressed (erased before).",
    ["effect"],
)
MENTION_SECONDS = Histogram(
    "tocsin_mention_seconds",
    "From a mention's receipt at ingest to its row, of mentions that came in time.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 300),
)
EVENTS_PUBLISHED = Counter("tocsin_events_published_total", "Incident events that the relay put on the bus.", ["type"])
OUTBOX_OLDEST_SECONDS = Gauge(
    "tocsin_outbox_oldest_seconds",
    "Age of the oldest event that waits for the relay, 0 when none does; at the relay's process.",
)

# alert: evaluator

EVALUATIONS = Counter("tocsin_evaluations_total", "Evaluations of a brand at an instant.")
EVALUATION_LATENESS = Histogram(
    "tocsin_evaluation_lateness_seconds",
    "From an evaluation instant to the commit of its judgement; five minutes and more: the stream is not complete.",
    buckets=(5, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 7200),
)
BRAND_LEVEL = Gauge("tocsin_brand_level", "Level of a brand: 0 green, 1 yellow, 2 orange, 3 red.", ["brand"])
BRAND_SCORE = Gauge("tocsin_brand_score", "Crisis score of a brand, 0 to 100.", ["brand"])
WATCH_RINGS = Counter("tocsin_watch_rings_total", "Mentions that made a watch rule ring.", ["rule"])
SILENT_SOURCES = Counter("tocsin_silent_sources_total", "Times a source fell silent against its own habit.")

# alert: timers and notifications; `channel` is the kind of channel, `kind` page, acknowledged or resolved

TIMER_OLDEST_DUE_SECONDS = Gauge(
    "tocsin_timer_oldest_due_seconds",
    "How long the oldest due timer has been waiting, 0 where none is due; above a few seconds nobody is being called.",
)
DATABASE_AWAY_SECONDS = Gauge(
    "tocsin_database_away_seconds",
    "How long the alert process has not reached its database, 0 while it does; from 120 on the fallback owners are rung.",
)
HEARTBEATS = Counter(
    "tocsin_heartbeats_total",
    "Pings of the outside heartbeat: sent, unanswered, or withheld because the stream or the timers are behind.",
    ["outcome"],
)
TIMERS_FIRED = Counter("tocsin_timers_fired_total", "Timers that went off, by kind: step or acknowledgement.", ["kind"])
NOTIFICATION_OLDEST_DUE_SECONDS = Gauge(
    "tocsin_notification_oldest_due_seconds",
    "How long the oldest message that may be sent now has been waiting for a sender, 0 where none is.",
)
NOTIFICATION_ATTEMPTS = Counter(
    "tocsin_notification_attempts_total",
    "Attempts to bring a message through, by outcome: accepted, retry, rejected, gone, unknown, superseded.",
    ["channel", "kind", "outcome"],
)
NOTIFICATIONS_DEAD = Counter(
    "tocsin_notifications_dead_total",
    "Messages that were given up; each can be sent again by hand.",
    ["channel", "kind"],
)
CALLBACKS_REFUSED = Counter(
    "tocsin_callbacks_refused_total",
    "Calls back of services (Twilio, Vonage, Slack, PagerDuty) whose proof was forged or out of date.",
    ["service", "why"],
)
NOTIFICATION_FIRST_ATTEMPT_SECONDS = Histogram(
    "tocsin_notification_first_attempt_seconds",
    "From the decision to call somebody to the first attempt on each channel.",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)

# bus

BUS_RECORDS_HANDLED = Counter(
    "tocsin_bus_records_handled_total",
    "Records handled and committed, dead letters too, by worker and topic.",
    ["worker", "topic"],
)
BUS_BATCH_SECONDS = Histogram(
    "tocsin_bus_batch_seconds",
    "From the beginning of a batch's handling to its commit, retries included.",
    ["worker"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
BUS_RETRIES = Counter(
    "tocsin_bus_retries_total", "Batches that had to wait and be done again, by what failed.", ["worker", "reason"]
)
BUS_BATCHES_LOST = Counter(
    "tocsin_bus_batches_lost_total",
    "Batches whose partitions all went to another member before the commit.",
    ["worker"],
)
BUS_DEAD_LETTERS = Counter(
    "tocsin_bus_dead_letters_total", "Records that could not be read and were set aside.", ["topic", "place"]
)
BUS_LAG = Gauge(
    "tocsin_bus_lag_records",
    "Records between a worker's position and the end of a partition it owns, asked about four times a minute.",
    ["worker", "topic", "partition"],
)
BUS_OLDEST_UNREAD_SECONDS = Gauge(
    "tocsin_bus_oldest_unread_seconds",
    "Age of the oldest record in hand, 0 when idle; half the retention is an alarm: beyond all of it records are lost.",
    ["worker"],
)

# settings that people make at run time, in each process

LIVE_SETTINGS_VERSION = Gauge(
    "tocsin_live_settings_version",
    "The number of the last change that this process has in force; the same everywhere soon.",
)
LIVE_SETTINGS_LEFT_OUT = Gauge(
    "tocsin_live_settings_left_out",
    "Settings that are kept and not applied, because they do not fit the configuration any more; the log says which.",
)
LIVE_SETTINGS_FAILURES = Counter(
    "tocsin_live_settings_failures_total",
    "Times the settings could not be read; what was known last goes on holding.",
)

# api

HTTP_SECONDS = Histogram(
    "tocsin_http_seconds",
    "From the first byte of a request to the last of its answer, by method, route (its template) and status; 499: the client left.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10, 60),
)
REQUESTS_THROTTLED = Counter(
    "tocsin_requests_throttled_total", "Requests answered 429, because of a key's or session's rate limit."
)
LIVE_STREAMS = Gauge("tocsin_live_streams", "Live streams (server-sent events) that are open in this process.")
SIGN_INS = Counter(
    "tocsin_sign_ins_total",
    "Sign-ins to the page, by way (link, password, provider) and outcome (in, refused, throttled).",
    ["way", "outcome"],
)
