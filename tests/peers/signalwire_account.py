"""The account at SignalWire; apart from its library, which cannot be where the other packages are."""

PROJECT, TOKEN, KEY = "b08dacad-2f6c-4de1-93d6-cc732e0c69c5", "PT0123456789", "a-signing-key"


def account(standin):
    return {"kind": "signalwire", "space": "example", "account_id": PROJECT, "secrets": [TOKEN],
            "signing_key": KEY, "api_url": standin.url}
