# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka broker: librdkafka's mock cluster, which speaks the real protocol, in a process of its own."""
