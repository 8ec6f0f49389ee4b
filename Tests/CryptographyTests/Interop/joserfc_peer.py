"""The other side of the interoperability tests: PyPI's joserfc.

Reads one JSON object from standard input and writes one to standard output:
  {"do": "verify", "token": …, "keys": {JWK Set}, "algorithm": …}  ->  {"header": …, "claims": …}
  {"do": "sign", "claims": …, "algorithm": …}                     ->  {"token": …, "keys": {JWK Set}}
  {"do": "thumbprint", "key": {JWK}}                              ->  {"thumbprint": …}
"""

import json
import sys

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey, import_key


def new_key(algorithm):
    parameters = {"kid": "peer-1", "use": "sig", "alg": algorithm}
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "ES384":
            return ECKey.generate_key("P-384", parameters)
        case "EdDSA":
            return OKPKey.generate_key("Ed25519", parameters)
        case "RS256" | "RS384" | "RS512" | "PS256":
            return RSAKey.generate_key(2048, parameters)


def answer(request):
    match request["do"]:
        case "verify":
            keys = KeySet.import_key_set(request["keys"])
            token = jwt.decode(request["token"], keys, algorithms=[request["algorithm"]])
            return {"header": token.header, "claims": token.claims}
        case "sign":
            key = new_key(request["algorithm"])
            header = {"alg": request["algorithm"], "kid": key.kid, "typ": "at+jwt"}
            token = jwt.encode(header, request["claims"], key, algorithms=[request["algorithm"]])
            return {"token": token, "keys": {"keys": [key.as_dict(private=False)]}}
        case "thumbprint":
            return {"thumbprint": import_key(request["key"]).thumbprint()}


json.dump(answer(json.load(sys.stdin)), sys.stdout)
