"""A real Chromium for tests, driven over its debugging pipe: nothing to install beside the browser itself."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.requirements import missing

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# The browser reads commands from file descriptor 3 and answers on 4; Popen alone cannot put them there.
_PUT_PIPES = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
_PATIENCE = 30.0
_TOLD = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser with one empty page, or a skip where there is none on this machine."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        missing("chromium", "no browser on the PATH (Debian: chromium)")
    with Browser(str(program)) as opened:
        yield opened


def _is_a_remark(told: dict[str, Any]) -> bool:
    """Whether it is no trouble: that a click came before the page placed the cursor by itself, for one."""
    return told["params"].get("entry", {}).get("level") in {"verbose", "info"}


class BrowserTrouble(AssertionError):
    """The page did not come to what the test waits for, or a script on it failed."""


class Browser:
    """One browser with one page; every wait has a deadline."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._numbers = itertools.count(1)
        self._rest = b""
        self._page = ""
        self.messages: list[dict[str, Any]] = []
        """What the page told by itself: console, refused by its content security policy, failed scripts."""

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="tocsin-browser-")
        commands_read, self._commands = os.pipe()
        self._answers, answers_write = os.pipe()
        pipes = (commands_read, answers_write)
        start = [sys.executable, "-c", _PUT_PIPES, *map(str, pipes), self._program, *_SWITCHES]
        self._process = subprocess.Popen(
            [*start, f"--user-data-dir={self._folder}", "about:blank"],
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for pipe in pipes:
            os.close(pipe)
        target = self._command("Target.createTarget", url="about:blank")["targetId"]
        self._page = self._command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._command(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, url: str) -> None:
        """Load a page and wait until it is there."""
        failed = self._command("Page.navigate", url=url).get("errorText")
        if failed:
            raise BrowserTrouble(f"{url}: {failed}")
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        answer = self._command("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserTrouble(f"{script}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until an expression is true; a page that is just being left counts as not yet."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                if self.evaluate(script):
                    return
            except BrowserTrouble:
                pass
            # Gives the page its turn; the deadline above ends the wait.
            select.select([self._answers], [], [], 0.02)
        text = self.evaluate("document.body.innerText")
        raise BrowserTrouble(f"waited {_PATIENCE:g} s for {script}; the page says:\n{text}")

    def click(self, selector: str) -> None:
        """Click where an element is, as a finger would."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        place = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._command(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", buttons=1, clickCount=1
            )

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """How large the window is, in CSS pixels, and which colours its user prefers."""
        self._command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the window, or of the whole page."""
        data = self._command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._page:
            message["sessionId"] = self._page
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _PATIENCE
        while True:
            answer = self._next_message(deadline, method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserTrouble(f"{method}: {answer['error']['message']}")
                found: dict[str, Any] = answer["result"]
                return found
            if answer.get("method") in _TOLD and not _is_a_remark(answer):
                self.messages.append(answer)
            if answer.get("method") == "Page.javascriptDialogOpening":
                raise BrowserTrouble("the page opened a dialog: somebody's words ran as a script")

    def _next_message(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            readable, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            received = os.read(self._answers, 1 << 20) if readable else b""
            if not received:
                raise BrowserTrouble(f"the browser did not answer {waiting_for} in time, or has ended")
            self._rest += received
        first, self._rest = self._rest.split(b"\0", 1)
        found: dict[str, Any] = json.loads(first)
        return found
