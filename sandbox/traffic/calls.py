# SPDX-License-Identifier: GPL-3.0-or-later
"""What applications ask of each service through the gateway, one question a service; nothing here writes."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from sandbox.names import INTERNAL_NUMBER

QUESTIONS: t.Mapping[str, str] = {
    "agent-core": "/agents/dashboard",
    "ranking-service": "/ranking/rank?category=bakery",
    "wallet-service": f"/wallet/wallets/{INTERNAL_NUMBER}",
    "vendor-service": "/vendor/vendors?category=bakery",
    "buyer-service": f"/buyer/products?name={quote('cassava leaves')}",
    "station-service": "/station/stations?fuel=diesel",
    "driver-service": "/driver/drivers?district=Huye",
    "voice-bridge": "/voice-bridge/languages?language=rw",
    "marketplace-service": "/marketplace/categories?district=Huye",
    "property-service": "/property/properties?district=Huye",
    "healthcare-service": "/healthcare/pharmacies?district=Huye",
    "customer-support-service": f"/customer-support/conversations?number={INTERNAL_NUMBER}",
}
"""Path and query by service: narrow enough that an answer is short."""
