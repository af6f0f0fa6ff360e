//! Carrier and runtime together, with nothing between them: a stream that leads to a runtime.

use std::{sync::Arc, time::Duration};

use switchback::simulator::{
    Behaviour, Delivery, Exchange, Leg, Ringing, Runtime, State, Voice, What, audio,
};

use crate::customer::{NUMBER, PERSON, WAIT, customer, exchange};

/// A call that is joined to the runtime; then the caller is told good-bye.
async fn call(runtime: &Runtime, voice: Voice) -> (Exchange, Arc<Leg>) {
    let exchange = exchange(Delivery::InOrder);
    let document = format!(
        "<Response><Connect><Stream url=\"{}\"><Parameter name=\"lead\" value=\"L-1\"/></Stream>\
         </Connect><Say>Good-bye.</Say></Response>",
        runtime.url()
    );
    customer(&exchange, &[("/voice", &document)]).await;
    let ringing = Ringing { from: PERSON.into(), to: NUMBER.into(), voice, ..Ringing::default() };
    let leg = exchange.ring(ringing).unwrap();
    (exchange, leg)
}

fn hears_good_bye(state: &State) -> bool {
    state.has(|what| *what == What::Said("Good-bye.".to_owned()))
}

#[tokio::test]
async fn echo_is_heard_as_it_was_said() {
    let runtime = Runtime::start(Behaviour::Echo).await.unwrap();
    let says = audio::chime(440.0, 660.0);
    let stays = Some(Duration::from_millis(200));
    let voice = Voice { says: says.clone(), keys: "1#".into(), stays, mishap: None };
    let (_exchange, leg) = call(&runtime, voice).await;
    let state = leg.over(WAIT).await.unwrap();
    assert!(audio::contains(&audio::audible(&state.heard), &says));
    assert!(!hears_good_bye(&state), "who hung up hears nothing more");
    let served = runtime.until(WAIT, |calls| calls[0].is_closed).await.unwrap();
    assert!(audio::contains(&served[0].heard, &says));
    assert_eq!((&*served[0].keys, served[0].was_stopped), ("1#", true));
    assert_eq!(served[0].parameter("lead"), Some("L-1"));
    assert_eq!(served[0].start.as_ref().unwrap().call_sid, leg.facts.sid);
}

#[tokio::test]
async fn a_greeting_is_played_to_its_mark() {
    let greeting = audio::chime(523.0, 784.0);
    let runtime = Runtime::start(Behaviour::Greeting(greeting.clone())).await.unwrap();
    let (_exchange, leg) = call(&runtime, Voice::default()).await;
    let mark = |what: &What| *what == What::Mark("greeting".to_owned());
    let played = leg.happens(WAIT, mark).await.unwrap();
    assert!(played.at >= Duration::from_millis(500), "played at its own pace: {:?}", played.at);
    assert_eq!(audio::audible(&leg.state().heard), greeting);
    runtime.until(WAIT, |calls| calls[0].marks == ["greeting"]).await.unwrap();
    leg.hang_up();
    leg.over(WAIT).await.unwrap();
}

#[tokio::test]
async fn a_runtime_that_falls_over_leaves_the_call_to_the_document() {
    for is_killed in [false, true] {
        let behaviour = match is_killed {
            true => Behaviour::ListenOnly,
            false => Behaviour::Crashing(Duration::from_millis(150)),
        };
        let runtime = Runtime::start(behaviour).await.unwrap();
        let (_exchange, leg) = call(&runtime, Voice::default()).await;
        runtime.until(WAIT, |calls| calls.iter().any(|call| !call.heard.is_empty())).await.unwrap();
        if is_killed {
            runtime.kill();
        }
        let state = leg.over(WAIT).await.unwrap();
        assert!(hears_good_bye(&state), "{:?}", state.moments);
        assert!(state.has(|what| *what == What::Closed(None)), "{:?}", state.moments);
    }
}

#[tokio::test]
async fn slow_and_silent_runtimes_are_what_they_say() {
    let slow = Runtime::start(Behaviour::Slow(Duration::from_millis(200))).await.unwrap();
    let (_exchange, leg) = call(&slow, Voice::default()).await;
    let open = leg.happens(WAIT, |what| matches!(what, What::Connected(_))).await.unwrap();
    assert!(open.at >= Duration::from_millis(200), "{:?}", open.at);

    let silent = Runtime::start(Behaviour::Silent).await.unwrap();
    let (_exchange, leg) = call(&silent, Voice::default()).await;
    leg.happens(WAIT, |what| matches!(what, What::Connected(_))).await.unwrap();
    leg.until(WAIT, |state| state.heard.len() > 1600).await.unwrap();
    assert!(audio::is_silent(&leg.state().heard));
    assert!(silent.calls()[0].start.is_none(), "it does not even listen");
    silent.kill();
    assert!(hears_good_bye(&leg.over(WAIT).await.unwrap()));
}
