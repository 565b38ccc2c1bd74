"""Every route of the api process: who may come in, and whose brand it concerns. A route that is missing here fails a test.

`tests/unit/api/test_route_table.py` holds the table against the application; `tests/integration/api/test_route_access.py` knocks at
every door with every kind of key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tocsin.access.principals import Scope


@dataclass(frozen=True)
class Door:
    """One route. `path` has the names that FastAPI knows; the tests fill in `{brand}`, `{incident_id}` and what `known` holds.

    `scope` None: open to all. `of_brand`: a key that may see other brands only is answered 404 (an object of brand `acme` is
    named in path, query or body); else the route filters or concerns no brand, and a test of its own says so.
    """

    method: str
    path: str
    scope: Scope | None
    of_brand: bool = False
    query: str = ""
    body: Any = None
    form: dict[str, str] | None = None
    known: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


R, A, ADMIN = Scope.READ, Scope.ACT, Scope.ADMIN

DOORS: tuple[Door, ...] = (
    # Open: health, metrics, signing in.
    Door("GET", "/metrics", None),
    Door("GET", "/healthz", None),
    Door("GET", "/readyz", None),
    Door("GET", "/sign-in", None),
    Door("POST", "/sign-in", None),
    Door("GET", "/sign-in/provider", None),
    Door("GET", "/sign-in/provider/callback", None),
    # Open, and of no use without a link or a signature.
    Door("GET", "/a/{token}", None),
    Door("POST", "/a/{token}", None),
    Door("POST", "/callbacks/twilio/key/{channel}/{token}", None),
    Door("POST", "/callbacks/twilio/status/{channel}/{token}", None),
    Door("POST", "/callbacks/vonage/key/{channel}/{token}", None),
    Door("POST", "/callbacks/vonage/status/{channel}/{token}", None),
    Door("POST", "/callbacks/slack/{channel}", None),
    Door("POST", "/callbacks/pagerduty/{channel}", None),
    # The description and the live stream.
    Door("GET", "/v1/openapi.json", R),
    Door("GET", "/v1/stream", R),
    # Access.
    Door("GET", "/v1/keys", ADMIN),
    Door("POST", "/v1/keys", ADMIN, body={"name": "x", "scopes": ["read"]}),
    Door("DELETE", "/v1/keys/{prefix}", ADMIN, of_brand=True, known={"prefix": "abcdefgh"}),
    Door("GET", "/v1/audit", ADMIN),
    Door("GET", "/v1/drills", R),
    Door("GET", "/drills", R),
    # Mentions and brands.
    Door("GET", "/v1/mentions", R, of_brand=True, query="brand=acme"),
    Door("GET", "/v1/mentions/export", R, of_brand=True, query="brand=acme"),
    Door(
        "POST",
        "/v1/mentions/{mention_id}/correction",
        A,
        of_brand=True,
        body={"brand": "acme", "about_us": False},
    ),
    Door(
        "POST",
        "/v1/mentions/{mention_id}/author",
        A,
        of_brand=True,
        body={"brand": "acme", "reason": "to write to them"},
    ),
    # Privacy.
    Door("POST", "/v1/privacy/erasures", ADMIN, body={"mentions": [], "reason": "x"}),
    Door(
        "POST",
        "/v1/incidents/{incident_id}/legal-holds",
        ADMIN,
        of_brand=True,
        body={"reason": "court", "until": "2027-01-01T00:00:00Z"},
    ),
    Door("GET", "/v1/incidents/{incident_id}/legal-holds", ADMIN, of_brand=True),
    Door("GET", "/v1/incidents/{incident_id}/legal-holds/{hold_id}", ADMIN, of_brand=True),
    Door("GET", "/v1/corrections", R, of_brand=True, query="brand=acme"),
    Door("GET", "/v1/brands", R),
    Door("GET", "/v1/brands/{brand}/timeline", R, of_brand=True),
    Door("GET", "/v1/brands/{brand}/figures", R, of_brand=True),
    Door("GET", "/v1/brands/{brand}/authors", R, of_brand=True),
    Door("GET", "/v1/brands/{brand}/campaigns", R, of_brand=True),
    Door("GET", "/v1/brands/{brand}/stories", R, of_brand=True),
    Door("GET", "/v1/brands/{brand}/trends", R, of_brand=True),
    # What people set at run time.
    Door("GET", "/v1/brands/{brand}/settings", R, of_brand=True),
    Door(
        "POST",
        "/v1/brands/{brand}/settings",
        A,
        of_brand=True,
        body={
            "setting": {"kind": "exclude", "terms": "aurora"},
            "reason": "the lights",
            "ends": "2026-03-20T22:00:00Z",
        },
    ),
    Door("POST", "/v1/brands/{brand}/settings/{setting_id}/withdraw", A, of_brand=True, body={"reason": "over"}),
    Door("POST", "/v1/brands/{brand}/queries/preview", R, of_brand=True, body={"exclude": "aurora"}),
    Door("GET", "/v1/share-of-voice", R, of_brand=True, query="brand=acme"),
    Door("GET", "/v1/response-times", R, of_brand=True, query="brand=acme"),
    Door("GET", "/v1/alert-quality", R, of_brand=True, query="brand=acme"),
    # Incidents.
    Door("GET", "/v1/incidents", R, of_brand=True, query="brand=acme"),
    Door("GET", "/v1/incidents/{incident_id}", R, of_brand=True),
    Door("POST", "/v1/incidents/{incident_id}/acknowledge", A, of_brand=True),
    Door("POST", "/v1/incidents/{incident_id}/resolve", A, of_brand=True),
    Door("POST", "/v1/incidents", A, of_brand=True, body={"brands": ["acme"], "level": "orange", "sentence": "Glass."}),
    Door("GET", "/v1/incidents/{incident_id}/pictures/{picture_id}", R, of_brand=True),
    *(
        Door("POST", f"/v1/incidents/{{incident_id}}/{command}", A, of_brand=True, body=body)
        for command, body in {
            "unacknowledge": None,
            "mitigate": None,
            "escalate": None,
            "level": {"level": "red"},
            "assign": {"person": "lea"},
            "silence": {"until": "2026-03-10T23:00:00Z"},
            "unsilence": None,
            "split": {"story": "s1"},
            "merge": {"into": "00000000-0000-0000-0000-000000000001"},
            "review": {"verdict": "buzz"},
            "reopen": None,
            "notes": {"text": "Called the plant."},
        }.items()
    ),
    # Messages that did not come through.
    Door("GET", "/v1/notifications", R),
    Door("POST", "/v1/notifications/{notification_id}/send-again", A, of_brand=True),
    # Silences of brands.
    Door("GET", "/v1/silences", R),
    Door(
        "POST",
        "/v1/silences",
        A,
        of_brand=True,
        body={"brand": "acme", "until": "2026-03-10T23:00:00Z", "reason": "A sale."},
    ),
    Door("POST", "/v1/silences/{silence_id}/end", A, of_brand=True),
    # The crisis room.
    Door("GET", "/v1/incidents/{incident_id}/room", R, of_brand=True),
    Door("POST", "/v1/incidents/{incident_id}/room", A, of_brand=True, body={"command": "draft_update"}),
    Door("GET", "/incidents/{incident_id}/room", R, of_brand=True),
    Door("POST", "/incidents/{incident_id}/room", A, of_brand=True, form={"command": "draft_update"}),
    Door("GET", "/statements", R),
    Door("POST", "/statements", A),
    Door("GET", "/v1/mentions/{mention_id}/answers", R, of_brand=True, query="brand=acme"),
    Door(
        "POST",
        "/v1/mentions/{mention_id}/answers",
        A,
        of_brand=True,
        query="brand=acme",
        body={"answer": "glass", "version": 3},
    ),
    Door("GET", "/v1/brands/{brand}/answers", R, of_brand=True),
    Door(
        "POST",
        "/mentions/{mention_id}/answers",
        A,
        of_brand=True,
        form={"brand": "acme", "answer": "glass", "version": "3"},
    ),
    Door("GET", "/v1/incidents/{incident_id}/report.md", R, of_brand=True),
    Door("GET", "/incidents/{incident_id}/report", R, of_brand=True),
    Door("GET", "/v1/brands/{brand}/verdicts", R, of_brand=True),
    # By a link, without an account: they answer nothing without one.
    Door("GET", "/by-link/approve", None),
    Door("POST", "/by-link/approve", None),
    Door("GET", "/by-link/hand-over", None),
    Door("POST", "/by-link/hand-over", None),
    Door("GET", "/by-link/update", None),
    # Who is on call; it concerns people, and no brand.
    Door("GET", "/v1/on-call", R),
    Door("GET", "/v1/on-call/statement", R, query="month=2026-03"),
    Door("GET", "/v1/overrides", R),
    Door("POST", "/v1/overrides", A),
    Door("POST", "/v1/overrides/{override_id}/end", A),
    Door("GET", "/v1/feeds", R),
    Door("POST", "/v1/feeds", A),
    Door("POST", "/v1/feeds/{feed_id}/revoke", A),
    Door("GET", "/by-link/calendar/{token}.ics", None),
    Door("GET", "/declare", A),
    Door("POST", "/declare", A),
    Door("GET", "/on-call", R),
    Door("POST", "/on-call/exchange", A),
    Door("POST", "/on-call/{override_id}/end", A),
    Door("POST", "/mentions/{mention_id}/correction", A, of_brand=True, form={"brand": "acme", "is": "not_us"}),
    Door(
        "POST",
        "/mentions/{mention_id}/author",
        A,
        of_brand=True,
        form={"brand": "acme", "reason": "to write to them"},
    ),
    Door("GET", "/settings", R, of_brand=True, query="brand=acme"),
    Door(
        "POST",
        "/settings",
        A,
        of_brand=True,
        form={"brand": "acme", "kind": "mute", "source": "rss", "reason": "x", "ends": "2026-03-11T22:00"},
    ),
    Door("POST", "/settings/{setting_id}/withdraw", A, of_brand=True, form={"brand": "acme", "reason": "over"}),
    # The page.
    Door("GET", "/", R),
    Door("GET", "/incidents/{incident_id}", R, of_brand=True),
    Door("POST", "/incidents/{incident_id}/acknowledge", A, of_brand=True),
    Door("POST", "/incidents/{incident_id}/resolve", A, of_brand=True),
    Door("POST", "/incidents/{incident_id}/command", A, of_brand=True, form={"command": "escalate"}),
    Door(
        "POST",
        "/incidents/{incident_id}/legal-hold",
        ADMIN,
        of_brand=True,
        form={"reason": "court", "until": "2027-01-01"},
    ),
    Door("POST", "/sign-out", R),
)
