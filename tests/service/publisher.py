"""A publisher as tests need it: keys of every kind, tokens, and a server for its JWKS."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.service_fixture import Service

SECRET = "a-secret-that-publisher-and-service-share"
ISSUER, AUDIENCE = "https://news.example", "colloquy-test"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}


def public_jwk(key: Any, kid: str | None = "one", **more: Any) -> dict[str, Any]:
    """Answer the public part of a key as an entry of a key set."""
    kinds: dict[type, Any] = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm = next((one for kind, one in kinds.items() if isinstance(key, kind)), OKPAlgorithm)
    found: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {name: value for name, value in found.items() if name != "key_ops"} | ({"kid": kid} if kid else {}) | more


def jwks(*entries: Any) -> bytes:
    """Answer a key set."""
    return json.dumps({"keys": list(entries)}).encode()


def claims(now: datetime, **changed: Any) -> dict[str, Any]:
    """Answer what a token says by default, changed; None takes a claim away."""
    moment = int(now.timestamp())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "reader-7", "iat": moment, "exp": moment + 3600, "name": "Ada"}
    return {name: value for name, value in (said | changed).items() if value is not None}


def sign(said: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    """Answer a token; header members that are None are left out."""
    return jwt.encode(said, key, algorithm=algorithm, headers=header or None)


async def configure(service: Service, *, site: str = "test", expect: int = 200, **changed: Any) -> dict[str, Any]:
    """Let the site know its publisher, HS256 unless told otherwise."""
    wanted = {"issuer": ISSUER, "audience": AUDIENCE, "algorithm": "HS256", "secret": SECRET} | changed
    wanted = {name: value for name, value in wanted.items() if value is not None}
    answer = await service.call("PUT", f"/v1/admin/sites/{site}/identity", as_="root", json=wanted, expect=expect)
    found: dict[str, Any] = answer.json()
    return found
