# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka broker that really speaks the protocol: librdkafka's mock cluster in a process of its own."""
