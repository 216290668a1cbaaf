"""The project's code that sweeps use: which files it is, what they import, and digests of them. Knows neither pytest nor Ray."""

from __future__ import annotations

from pytest_sweep.sources.files import CodeFile, Files, digest_of
from pytest_sweep.sources.graph import Closure, CodeGraph, Root
from pytest_sweep.sources.loaded import LoadedCode
from pytest_sweep.sources.modules import Module, module_of
from pytest_sweep.sources.opening import Opened
from pytest_sweep.sources.project import Project

__all__ = [
    "Closure",
    "CodeFile",
    "CodeGraph",
    "Files",
    "LoadedCode",
    "Module",
    "Opened",
    "Project",
    "Root",
    "digest_of",
    "module_of",
]
