"""A gRPC server with the health service of grpcio-health-checking: `down` is not serving.

Arguments: `health` or `none`, then the files of a key and a certificate for TLS. It says its port,
which `GRPC_PORT` chooses.
"""
import os
import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

server = grpc.server(futures.ThreadPoolExecutor(4))
if sys.argv[1] == "health":
    servicer = health.HealthServicer()
    servicer.set("shop.v1.Orders", health_pb2.HealthCheckResponse.SERVING)
    servicer.set("down", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
address = "127.0.0.1:" + os.environ.get("GRPC_PORT", "0")
if len(sys.argv) > 2:
    key, certificate = (open(name, "rb").read() for name in sys.argv[2:])
    credentials = grpc.ssl_server_credentials([(key, certificate)])
    port = server.add_secure_port(address, credentials)
else:
    port = server.add_insecure_port(address)
server.start()
print(port, flush=True)
server.wait_for_termination()
