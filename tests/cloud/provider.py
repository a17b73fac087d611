"""A stand-in for Terraform's AWS provider: its real schema, with an emulator of AWS behind it.

Terraform loads it as it loads the real one (plugin protocol 6, by TF_REATTACH_PROVIDERS), so that
validate, plan and apply check every argument's name and type, and apply really creates what
`tests/cloud/effects.py` knows to create; anything else is kept in Terraform's state alone. What it cannot
check: the values of enumerations, which changes force a replacement, AWS's own behaviour.

usage: provider.py SCHEMA ENDPOINT SOCKET FOLDER      (FOLDER: where relative paths begin)
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack
from tf.gen import grpc_controller_pb2 as controller
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from cloud import effects

UNKNOWN = msgpack.ExtType(0, b"\x00")
CHOSEN = {"id", "managed_policy_arns"}  # optional, and computed if left out
CONFIGURATION = {
    "a": {"region": "string"},
    "b": {"default_tags": [{"a": {"tags": "map:string"}, "b": {}}, False, False]},
}


def unpacked(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, ext_hook=lambda *_: UNKNOWN, strict_map_key=False)


def packed(value: Any) -> Any:
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def cty(word: str) -> Any:
    kind, _, inner = word.partition(":")
    return [kind, cty(inner)] if inner else kind


def schema_of(block: dict[str, Any]) -> Any:
    """The reduced form as the protocol's own; version 0."""
    return pb.Schema(version=0, block=_block(block))


def _block(block: dict[str, Any]) -> Any:
    attributes = []
    for name, word in block["a"].items():
        required = word.endswith("!")
        attributes.append(
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(cty(word.rstrip("!="))).encode(),
                required=required,
                optional=not required and not word.endswith("="),
                computed=not required and (word.endswith("=") or name in CHOSEN),
            )
        )
    blocks = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_block(inner),
            nesting=pb.Schema.NestedBlock.LIST,
            min_items=1 if required else 0,
            max_items=0 if many else 1,
        )
        for name, (inner, required, many) in block["b"].items()
    ]
    return pb.Schema.Block(version=0, attributes=attributes, block_types=blocks)


def known(value: Any) -> Any:
    """The value with nothing unknown left in it."""
    if isinstance(value, dict):
        return {key: known(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [known(inner) for inner in value]
    return None if value == UNKNOWN else value


class Provider(rpc.ProviderServicer):  # type: ignore[misc]
    """The protocol's calls."""

    def __init__(self, schema: dict[str, Any], endpoint: str) -> None:
        self.resources = schema["resources"]
        self.data = schema["data-sources"]
        self.cloud = effects.Cloud(endpoint)

    def GetMetadata(self, request: Any, context: Any) -> Any:
        kinds = pb.GetMetadata
        return kinds.Response(
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=False),
            resources=[kinds.ResourceMetadata(type_name=name) for name in self.resources],
            data_sources=[kinds.DataSourceMetadata(type_name=name) for name in self.data],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return pb.GetProviderSchema.Response(
            provider=schema_of(CONFIGURATION),
            resource_schemas={name: schema_of(block) for name, block in self.resources.items()},
            data_source_schemas={name: schema_of(block) for name, block in self.data.items()},
        )

    def GetResourceIdentitySchemas(self, request: Any, context: Any) -> Any:
        return pb.GetResourceIdentitySchemas.Response()

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        self.cloud.region = unpacked(request.config)["region"]
        return pb.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=packed(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any, context: Any) -> Any:
        state = unpacked(request.current_state)
        gone = state is None or not self.cloud.exists(request.type_name, state)
        return pb.ReadResource.Response(new_state=packed(None if gone else state))

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        found = unpacked(request.config)
        found.update(self.cloud.look_up(request.type_name, found))
        return pb.ReadDataSource.Response(state=packed(known(found)))

    def _chosen(self, type_: str) -> list[str]:
        """The attributes that AWS fills in if nobody else does."""
        attributes = self.resources[type_]["a"].items()
        return [name for name, word in attributes if word.endswith("=") or name in CHOSEN]

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        prior, proposed = unpacked(request.prior_state), unpacked(request.proposed_new_state)
        if proposed is not None and prior is None:
            for name in self._chosen(request.type_name):
                if proposed.get(name) is None:
                    proposed[name] = UNKNOWN
        return pb.PlanResourceChange.Response(planned_state=packed(proposed))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        prior, planned = unpacked(request.prior_state), unpacked(request.planned_state)
        try:
            if planned is None:
                self.cloud.delete(request.type_name, prior)
                return pb.ApplyResourceChange.Response(new_state=packed(None))
            made = self.cloud.create(request.type_name, known(planned), prior)
        except effects.Refused as error:
            return pb.ApplyResourceChange.Response(
                new_state=request.prior_state,
                diagnostics=[pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=str(error))],
            )
        for name, value in planned.items():
            if value == UNKNOWN:
                planned[name] = made.get(name)
        return pb.ApplyResourceChange.Response(new_state=packed(known(planned)))

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()


class Controller(controller_rpc.GRPCControllerServicer):  # type: ignore[misc]
    """Terraform says when it is done; this process serves the next command too."""

    def Shutdown(self, request: Any, context: Any) -> Any:
        return controller.Empty()


def main(schema: str, endpoint: str, socket: str, folder: str) -> None:
    """Serve until killed."""
    os.chdir(folder)
    with gzip.open(Path(schema)) as text:
        provider = Provider(json.load(text), endpoint)
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=unlimited)
    rpc.add_ProviderServicer_to_server(provider, server)
    controller_rpc.add_GRPCControllerServicer_to_server(Controller(), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
