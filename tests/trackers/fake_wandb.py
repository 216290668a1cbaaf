"""What stands for W&B in tests: a server on loopback that answers what wandb asks for a run, and a reader of its offline files."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_BLOCK, _HEADER, _FILE_HEADER, _FULL, _LAST = 32768, 7, 7, 1, 4


def offline_records(file: Path) -> Iterator[Any]:
    """Iterate over the records of a .wandb file: a log of LevelDB, whose records are protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, message = file.read_bytes(), _FILE_HEADER, b""
    while at + _HEADER <= len(data):
        rest = _BLOCK - at % _BLOCK
        if rest < _HEADER:
            at += rest
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if kind == 0:
            return
        message += data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (_FULL, _LAST):
            record = Record()
            record.ParseFromString(message)
            yield record
            message = b""


@dataclass
class OfflineRun:
    """What the offline files of one W&B run hold, in the order of their folders.

    Attributes:
        started: of each file the run's record: its name, group, job type and configuration.
        history: what was logged.
        summary: the last values.
        exit_codes: how it was finished.
    """

    started: list[Any] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)

    def config(self) -> dict[str, Any]:
        """Return the newest configuration."""
        return {item.key: json.loads(item.value_json) for item in self.started[-1].config.update}


def offline_runs(folder: Path) -> dict[str, OfflineRun]:
    """Return the runs in a folder by their ids."""
    found: dict[str, OfflineRun] = {}
    for file in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        run = found.setdefault(re.sub(r"^run-", "", file.stem), OfflineRun())
        for record in offline_records(file):
            kind = record.WhichOneof("record_type")
            if kind == "run" and (not run.started or run.started[-1] != record.run):
                run.started.append(record.run)
            elif kind == "history":
                run.history.append(_values(record.history.item))
            elif kind == "summary":
                run.summary.update(_values(record.summary.update))
            elif kind == "exit":
                run.exit_codes.append(record.exit.exit_code)
    return found


def _values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@dataclass
class UploadedRun:
    """What the server was told of a run."""

    history: list[dict[str, Any]] = field(default_factory=list)
    upserts: list[dict[str, Any]] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)


class FakeWandb:
    """W&B, as far as wandb needs it.

    Attributes:
        url: its address, for WANDB_BASE_URL.
        runs: the runs by their ids.
        upload: what is wrong with uploads of history: None, ``hang``, ``drop`` or a status.
    """

    def __init__(self) -> None:
        self.runs: dict[str, UploadedRun] = {}
        self.upload: str | None = None
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"wandb": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop it."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wandb: FakeWandb

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        if self.path.endswith("/file_stream"):
            self._stream(self.path.split("/")[-2], sent)
        else:
            self._reply(200, {"data": self._answer(sent["query"], sent.get("variables", {}))})

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self._reply(200, {})

    def do_GET(self) -> None:
        self._reply(200, {})

    def log_message(self, *arguments: object) -> None:
        pass

    def _stream(self, name: str, sent: dict[str, Any]) -> None:
        trouble = self.wandb.upload
        if trouble == "hang":
            self.wandb.closing.wait(60)
        if trouble and not trouble.isdigit():
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if trouble is not None:
            self._reply(int(trouble), {})
            return
        run = self.wandb.runs[name]
        if lines := sent.get("files", {}).get("wandb-history.jsonl"):
            run.history[lines["offset"] :] = [json.loads(line) for line in lines["content"]]
        if sent.get("complete"):
            run.exit_codes.append(sent["exitcode"])
        self._reply(200, {"exitcode": None, "limits": {}})

    def _answer(self, query: str, values: dict[str, Any]) -> dict[str, Any]:
        project = {"id": "p", "name": values.get("project"), "entity": {"id": "e", "name": "me"}}
        if "RunResumeStatus" in query:
            run = self.wandb.runs.get(values["name"])
            return {"model": {**project, "bucket": None if run is None else self._bucket(values["name"], run)}}
        if "UpsertBucket" in query:
            is_new = values["name"] not in self.wandb.runs
            run = self.wandb.runs.setdefault(values["name"], UploadedRun())
            run.upserts.append(values)
            bucket = {**self._bucket(values["name"], run), "id": "b", "description": None, "project": project}
            return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}
        if "CreateRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.wandb.url}/upload"} for name in values["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        return {}

    def _bucket(self, name: str, run: UploadedRun) -> dict[str, Any]:
        tail = [json.dumps(run.history[-1])] if run.history else []
        return {
            "name": name, "displayName": name, "sweepName": None, "summaryMetrics": "{}", "config": "{}", "tags": [],
            "historyLineCount": len(run.history), "eventsLineCount": 0, "logLineCount": 0, "eventsTail": "[]",
            "historyTail": json.dumps(tail), "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip

    def _reply(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
