// A return call's webhook as it is written today: the signature is checked by Twilio's own
// middleware, the contact is looked up in Redis, and the answer is written by Twilio's own library.
"use strict";

const express = require("express");
const { createClient } = require("redis");
const twilio = require("twilio");

const { PORT, REDIS_PORT, PUBLIC_URL, TWILIO_AUTH_TOKEN } = process.env;

async function main() {
  const redis = createClient({ url: `redis://127.0.0.1:${REDIS_PORT}` });
  await redis.connect();

  const app = express();
  app.use(express.urlencoded({ extended: false }));
  app.post(
    "/carriers/main/voice",
    twilio.webhook({ url: `${PUBLIC_URL}/carriers/main/voice` }, TWILIO_AUTH_TOKEN),
    async (req, res) => {
      const agent = await redis.get(`contact:${req.body.From}`);
      const answer = new twilio.twiml.VoiceResponse();
      if (agent) {
        const connect = answer.connect({ action: `${PUBLIC_URL}/carriers/main/resume` });
        const stream = connect.stream({ url: `wss://bot.example.com/media/${req.body.CallSid}` });
        stream.parameter({ name: "agent_id", value: agent });
      } else {
        answer.say("Nobody here has called you.");
      }
      res.type("text/xml").send(answer.toString());
    },
  );
  app.listen(Number(PORT), "127.0.0.1");
}

main();
