"""A return call's webhook as it is written today: the signature is checked by Twilio's own
validator, the contact is looked up in Redis, and the answer is written by Twilio's own library."""

import os

import redis.asyncio
from fastapi import FastAPI, HTTPException, Request, Response
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Connect, VoiceResponse

PUBLIC_URL = os.environ["PUBLIC_URL"]

app = FastAPI()
contacts = redis.asyncio.Redis(
    host="127.0.0.1", port=int(os.environ["REDIS_PORT"]), decode_responses=True
)
validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


@app.post("/carriers/main/voice")
async def voice(request: Request):
    form = await request.form()
    signature = request.headers.get("X-Twilio-Signature", "")
    if not validator.validate(f"{PUBLIC_URL}/carriers/main/voice", form, signature):
        raise HTTPException(status_code=403)
    agent = await contacts.get(f"contact:{form['From']}")
    answer = VoiceResponse()
    if agent:
        connect = Connect(action=f"{PUBLIC_URL}/carriers/main/resume")
        stream = connect.stream(url=f"wss://bot.example.com/media/{form['CallSid']}")
        stream.parameter(name="agent_id", value=agent)
        answer.append(connect)
    else:
        answer.say("Nobody here has called you.")
    return Response(content=str(answer), media_type="text/xml")
