"""A real Kafka broker on this machine: one node, its own controller, from the jars of tests/support/kafka/pom.xml."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.jars import jars_of
from support.services import free_ports, require_programs

_POM = Path(__file__).with_name("kafka") / "pom.xml"
_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
_START_SECONDS = 90
PASSWORD = "right"  # noqa: S105 - of a broker that lives for one test
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_gridcast="{password}";
log.dirs={folder}/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
log.retention.check.interval.ms=300
log.segment.delete.delay.ms=100
log.initial.task.delay.ms=300
num.network.threads=2
num.io.threads=2
"""


@dataclass
class Broker:
    """A broker with its own data folder and ports, which it keeps when it is started again."""

    folder: Path
    java: str
    jars: Path
    port: int
    sasl_port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def sasl_address(self) -> str:
        return f"127.0.0.1:{self.sasl_port}"

    def start(self) -> None:
        """Run until it answers a client."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self.folder / "server.properties")],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                if client.list_topics(timeout=2).brokers:
                    return
            except KafkaException:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()

    def format(self) -> None:
        """Make its data folder."""
        command = [*self._java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c"]
        subprocess.run(
            [*command, str(self.folder / "server.properties")], check=True, capture_output=True, timeout=_START_SECONDS
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)

    def create(self, topic: str, *, partitions: int = 1, **config: str) -> None:
        """A topic; of the config's names '_' stands for '.'."""
        dotted = {name.replace("_", "."): value for name, value in config.items()}
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=dotted)
        client = AdminClient({"bootstrap.servers": self.address})
        client.create_topics([new])[topic].result(timeout=30)

    def producer(self) -> Producer:
        """One that waits a broker's death out and repeats nothing."""
        return Producer(
            {
                "bootstrap.servers": self.address,
                "enable.idempotence": True,
                "delivery.timeout.ms": 120_000,
                "log_level": 0,
                "linger.ms": 5,
            }
        )

    def log(self) -> str:
        return (self.folder / "broker.log").read_text(errors="replace")[-3000:]

    @property
    def _java(self) -> list[str]:
        return [self.java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self.jars}/*"]


@contextlib.contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A broker with empty logs, killed afterwards. Without Java, Maven or the jars: a reason to skip."""
    (java,) = require_programs("java")
    jars = jars_of(_POM)
    plain, sasl, controller = free_ports(3)
    text = _PROPERTIES.format(plain=plain, sasl=sasl, controller=controller, folder=folder, password=PASSWORD)
    (folder / "server.properties").write_text(text)
    broker = Broker(folder, java, jars, plain, sasl)
    broker.format()
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
