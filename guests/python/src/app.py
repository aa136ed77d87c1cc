"""The component's application: world `language` of `wit/agent.wit`."""

import wit_world
from wit_world.imports import source as _source

from _oacp import build, run

build.install()


class WitWorld(wit_world.WitWorld):
    def run(self, source: _source.Source, input: str) -> str:
        return run.run(source, input)
