# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's own names, as production has them."""

from __future__ import annotations

NAMESPACE = "easymo-prod"
# The service account that deploys, as manifests/rbac/ names its Role.
DEPLOYER = "easymo-deploy"

SERVICES = (
    "agent-core",
    "ranking-service",
    "wallet-service",
    "vendor-service",
    "buyer-service",
    "station-service",
    "driver-service",
    "voice-bridge",
    "marketplace-service",
    "property-service",
    "healthcare-service",
    "customer-support-service",
)
WORKER = "whatsapp-webhook-worker"

PREVIOUS_VERSION = "1.9.0"
RELEASE_VERSION = "2.0.0"

# Supabase project references are twenty lower-case letters.
PROJECT_REF = "sandboxeasymoproject"

SUPABASE_DATABASE = "postgres"
SUPABASE_USER = "postgres"
# The server's superuser, which is the platform's own; a hosted project's people never have its password.
SUPABASE_ADMIN = "supabase_admin"
AGENT_CORE_DATABASE = "agent_core_prod"
AGENT_CORE_USER = "easymo_admin"

BACKUP_BUCKET = "easymo-db-backups"

KAFKA_TOPICS = {"whatsapp.messages": 4, "agent.events": 2, "orders": 2}
KAFKA_GROUP = WORKER

# The number of a colleague: always routed to the AI agent when the feature is on.
INTERNAL_NUMBER = "250780000001"
