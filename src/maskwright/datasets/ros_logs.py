"""Logs of ROS and Foxglove as streams of raw messages: MCAP files, ROS 1 bags, ROS 2 bag folders.

MCAP is read by `mcap`, bags by `rosbags` (the extra `ros`); neither needs ROS. Messages come in the order of their log
times. A file that was cut off is read as far as it goes, with a warning.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from maskwright.core.errors import InputError
from maskwright.datasets.damage import first_line
from maskwright.datasets.ros_messages import Parser, parser_for

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMessage:
    """One message of a topic, not taken apart."""

    topic: str
    log_time_ns: int
    content: bytes


class RosLog(Protocol):
    """One recording."""

    path: Path

    def topics(self) -> Mapping[str, Parser]:
        """List the topics that hold pictures, and what takes their messages apart."""
        ...

    def messages(self, topics: list[str], *, start_ns: int = 0) -> Iterator[LogMessage]:
        """Read messages of some topics in order, from a log time on."""
        ...


def open_log(path: Path) -> RosLog:
    """Open a log.

    Raises:
        InputError: it is damaged, or the library that reads it is not installed.
    """
    return McapLog(path) if path.suffix.lower() == ".mcap" else BagLog(path)


class McapLog:
    """An MCAP file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            from mcap import reader
        except ImportError as error:
            raise _not_installed("MCAP files", path) from error
        self._reading = reader
        self._is_whole = True
        self._summary: Any = self._read_summary()

    def topics(self) -> Mapping[str, Parser]:
        """See `RosLog`."""
        found = {}
        for channel in sorted(self._summary.channels.values(), key=lambda one: one.topic):
            schema = self._summary.schemas.get(channel.schema_id)
            parser = parser_for(schema.name, channel.message_encoding) if schema else None
            if parser is not None:
                found[channel.topic] = parser
        return found

    def messages(self, topics: list[str], *, start_ns: int = 0) -> Iterator[LogMessage]:
        """See `RosLog`."""
        with self.path.open("rb") as file:
            if self._is_whole:
                reader: Any = self._reading.make_reader(file)
                found = reader.iter_messages(topics=topics, starting_at=start_ns or None)
            else:
                reader = self._reading.NonSeekingReader(file)
                found = reader.iter_messages(topics=topics, starting_at=start_ns or None, log_time_order=False)
            try:
                for _, channel, message in found:
                    yield LogMessage(topic=channel.topic, log_time_ns=message.log_time, content=message.data)
            except Exception as error:  # damaged chunks raise what their decompressor raises
                if self._is_whole:
                    raise InputError(f"the MCAP file is damaged ({first_line(error)}): {self.path}") from error

    def _read_summary(self) -> Any:
        try:
            with self.path.open("rb") as file:
                summary = self._reading.make_reader(file).get_summary()
            if summary is not None and summary.statistics is not None:
                return summary
        except OSError as error:
            raise InputError(f"the log cannot be opened ({error.strerror or error}): {self.path}") from error
        except Exception as error:  # the end of the file is where the summary should be
            _log.debug("no summary: %s", error)
        return self._summary_by_reading()

    def _summary_by_reading(self) -> Any:
        """Find channels in a file that has no summary: one that was cut off, or written without."""
        from mcap.records import Channel, Schema
        from mcap.stream_reader import StreamReader

        summary = _Found({}, {})
        self._is_whole = False
        try:
            with self.path.open("rb") as file:
                for record in StreamReader(file).records:
                    if isinstance(record, Schema):
                        summary.schemas[record.id] = record
                    elif isinstance(record, Channel):
                        summary.channels[record.id] = record
        except Exception as error:  # this is where it was cut off
            if not summary.channels:
                message = f"this is no MCAP file, or nothing of it is whole ({first_line(error)})"
                raise InputError(f"{message}. Get it again: {self.path}") from error
            _log.warning("the log was cut off and is read as far as it goes: %s", self.path)
        return summary


@dataclass(frozen=True, slots=True)
class _Found:
    schemas: dict[int, Any]
    channels: dict[int, Any]


class BagLog:
    """A ROS 1 bag, or the folder of a ROS 2 bag."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            import rosbags.highlevel as rosbags
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise _not_installed("bags", path) from error
        self._rosbags = rosbags
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        with self._opened() as reader:
            encoding = "cdr" if reader.is2 else "ros1"
            parsers = {one.topic: parser_for(one.msgtype, encoding) for one in reader.connections}
        self._topics = {topic: parser for topic, parser in sorted(parsers.items()) if parser is not None}

    def topics(self) -> Mapping[str, Parser]:
        """See `RosLog`."""
        return self._topics

    def messages(self, topics: list[str], *, start_ns: int = 0) -> Iterator[LogMessage]:
        """See `RosLog`."""
        with self._opened() as reader:
            wanted = [one for one in reader.connections if one.topic in topics]
            try:
                for connection, time_ns, content in reader.messages(wanted, start=start_ns or None) if wanted else ():
                    yield LogMessage(topic=connection.topic, log_time_ns=time_ns, content=content)
            except Exception as error:  # databases and decompressors raise what they like
                raise InputError(f"the bag is damaged ({first_line(error)}): {self.path}") from error

    def _opened(self) -> Any:
        reader = self._rosbags.AnyReader([self.path], default_typestore=self._types)
        try:
            reader.open()
        except Exception as error:
            raise InputError(f"the bag cannot be opened ({first_line(error)}): {self.path}") from error
        return _Closing(reader)


class _Closing:
    """A reader that is open already, as a context manager."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __enter__(self) -> Any:
        return self._reader

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def _not_installed(what: str, path: Path) -> InputError:
    return InputError(f"{what} are read by a library that is not installed. pip install 'maskwright[ros]': {path}")


__all__ = ["LogMessage", "RosLog", "open_log"]
