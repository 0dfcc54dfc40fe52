# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus's well-known exporters tell of PostgreSQL, Redis and Kafka, in one small process."""
