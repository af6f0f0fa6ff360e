//! Twilio's REST API: the resources that `shared/twiml` speaks of, Twilio's credentials and error
//! codes (Twilio docs, voice/api/call-resource).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    carriers::{
        ApiRequest, Command, CommandOutcome,
        shared::{
            credentials::basic,
            twiml::commands::{self, Errors},
        },
    },
    domain::{Account, CallStatus, DialFailure, Secret},
};

/// Where the API is.
pub(super) const API_URL: &str = "https://api.twilio.com";

const ERRORS: Errors = Errors { is_over, cause };

pub(super) fn request(command: &Command<'_>, account: &Account) -> ApiRequest {
    commands::request(command, &base(account), authorization(account))
}

pub(super) fn look(carrier_call_id: &str, account: &Account) -> ApiRequest {
    commands::look(carrier_call_id, &base(account), authorization(account))
}

pub(super) fn looked(status: u16, body: &[u8]) -> Option<CallStatus> {
    commands::looked(status, body)
}

fn base(account: &Account) -> String {
    let account_sid = utf8_percent_encode(&account.account_id, NON_ALPHANUMERIC);
    format!("/2010-04-01/Accounts/{account_sid}")
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    commands::outcome(command, status, body, ERRORS)
}

/// Basic, by the API key where there is one (Twilio docs, iam/api-keys).
fn authorization(account: &Account) -> Secret {
    match &account.api.key {
        Some(key) => basic(&key.id, key.secret.reveal()),
        None => {
            let token = account.secrets.first().map_or("", Secret::reveal);
            basic(&account.account_id, token)
        }
    }
}

/// No such call any more; not in a state to be ended.
const fn is_over(status: u16, code: Option<u32>) -> bool {
    matches!((status, code), (404, Some(20404)) | (400, Some(21220)))
}

/// Twilio's error codes (docs, api/errors), as far as a call to be placed meets them.
const fn cause(status: u16, code: Option<u32>) -> DialFailure {
    match (status, code) {
        (_, Some(21201 | 21211 | 21217 | 21421)) => DialFailure::InvalidNumber,
        (_, Some(21210 | 21212 | 21213)) => DialFailure::InvalidCallerId,
        (_, Some(21214)) => DialFailure::Unreachable,
        (_, Some(21215 | 21216 | 21219)) => DialFailure::NotPermitted,
        (_, Some(22005)) => DialFailure::Busy,
        (_, Some(20003 | 20404)) | (401 | 403, None) => DialFailure::Credentials,
        (_, Some(_) | None) => DialFailure::Refused,
    }
}

#[cfg(test)]
mod tests {
    use base64_simd::STANDARD;
    use http::Method;

    use super::{
        super::tests::{ACCOUNT_SID, TOKEN, account, fixture},
        *,
    };
    use crate::{
        carriers::{
            AnsweredBy, ApiError, Authorization, Dial, NumberOrder, NumberSearch, OfferedNumber,
        },
        domain::{ApiKey, CallStatus, E164, UnixMillis},
    };

    fn shown(request: &ApiRequest) -> &str {
        match &request.authorization {
            Authorization::Header(header) => header.reveal(),
            other => panic!("{other:?}"),
        }
    }

    const HANG_UP: Command<'_> = Command::HangUp { carrier_call_id: "CA0123" };

    #[test]
    fn hanging_up_completes_the_call() {
        let request = request(&HANG_UP, &account(&[TOKEN, "older"]));
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.path, format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/CA0123.json"));
        assert_eq!(request.body, "Status=completed");
        let credentials = shown(&request).strip_prefix("Basic ").unwrap();
        let credentials = STANDARD.decode_to_vec(credentials).unwrap();
        assert_eq!(credentials, format!("{ACCOUNT_SID}:{TOKEN}").into_bytes());
        assert!(!format!("{request:?}").contains(shown(&request)));
    }

    #[test]
    fn a_redirected_call_asks_the_url() {
        let url = "https://edge.example.com/carriers/main/resume?call=1&attempt=2";
        let command = Command::Redirect { carrier_call_id: "CA0123", url };
        let request = request(&command, &account(&[TOKEN]));
        assert_eq!(request.path, format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/CA0123.json"));
        let form = "Url=https%3A%2F%2Fedge%2Eexample%2Ecom%2Fcarriers%2Fmain%2Fresume%3Fcall%3D1\
                    %26attempt%3D2&Method=POST";
        assert_eq!(request.body, form);
        let over = outcome(&command, 400, &fixture("rest/error_400_21220.json"));
        assert!(matches!(over, CommandOutcome::Refused(error) if error.code == Some(21220)));
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        let command = Command::HangUp { carrier_call_id: "../x?y=1" };
        let path = request(&command, &account(&[TOKEN])).path;
        assert!(path.ends_with("/Calls/%2E%2E%2Fx%3Fy%3D1.json"), "{path}");
    }

    #[test]
    fn replies_are_sorted_by_what_to_do() {
        let error =
            |status, file: &str| outcome(&HANG_UP, status, &fixture(&format!("rest/{file}")));
        let refused = |status, code, message: &str| {
            let cause = cause(status, code);
            CommandOutcome::Refused(ApiError { cause, status, code, message: message.to_owned() })
        };
        assert_eq!(error(200, "call_completed_200.json"), CommandOutcome::Done);
        assert_eq!(error(404, "error_404_20404.json"), CommandOutcome::Done, "it is over");
        assert_eq!(error(400, "error_400_21220.json"), CommandOutcome::Done, "it is over");
        assert_eq!(error(429, "error_429_20429.json"), CommandOutcome::Busy);
        assert_eq!(error(401, "error_401_20003.json"), refused(401, Some(20003), "Authenticate"));
        let unnamed = outcome(&HANG_UP, 404, b"<html>not Twilio</html>");
        assert_eq!(unnamed, refused(404, None, ""));
        assert_eq!(outcome(&HANG_UP, 503, b""), CommandOutcome::Unclear);
        let newer = br#"{"type":"t","title":"Bad","status":400,"code":20001,"detail":"No."}"#;
        assert_eq!(outcome(&HANG_UP, 400, newer), refused(400, Some(20001), "No."));
    }

    fn dial() -> Dial<'static> {
        Dial {
            from: number(12_125_550_142),
            to: number(14_155_550_117),
            voice_url: "https://edge.example.com/carriers/main/voice?call=1",
            status_url: "https://edge.example.com/carriers/main/status?call=1",
            ring_seconds: 60,
            detects_machine: false,
            awaits_recording: false,
        }
    }

    fn number(value: u64) -> E164 {
        E164::from_u64(value).unwrap()
    }

    fn form(body: &str) -> Vec<(String, String)> {
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap();
            (decode(name), decode(value))
        };
        body.split('&').map(pair).collect()
    }

    fn values<'f>(form: &'f [(String, String)], name: &str) -> Vec<&'f str> {
        form.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn a_dial_says_everything_once() {
        let request = request(&Command::Dial(dial()), &account(&[TOKEN]));
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.path, format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json"));
        let form = form(&request.body);
        assert_eq!(values(&form, "To"), ["+14155550117"]);
        assert_eq!(values(&form, "From"), ["+12125550142"]);
        assert_eq!(values(&form, "Url"), [dial().voice_url]);
        assert_eq!(values(&form, "FallbackUrl"), [dial().voice_url]);
        assert_eq!(values(&form, "StatusCallback"), [dial().status_url]);
        let events = ["initiated", "ringing", "answered", "completed"];
        assert_eq!(values(&form, "StatusCallbackEvent"), events);
        assert_eq!(values(&form, "Timeout"), ["60"]);
        assert_eq!(values(&form, "MachineDetection"), [""; 0]);
    }

    #[test]
    fn machines_are_looked_for_where_that_is_asked() {
        let call =
            Dial { detects_machine: true, awaits_recording: false, ring_seconds: 900, ..dial() };
        let form = form(&request(&Command::Dial(call), &account(&[TOKEN])).body);
        assert_eq!(values(&form, "MachineDetection"), ["Enable"]);
        assert_eq!(values(&form, "AsyncAmd"), ["true"]);
        assert_eq!(values(&form, "AsyncAmdStatusCallback"), [dial().status_url]);
        assert_eq!(values(&form, "Timeout"), ["600"]);
    }

    #[test]
    fn an_api_key_stands_in_for_the_token() {
        let mut account = account(&[TOKEN]);
        let key = ApiKey { id: "SK1".to_owned(), secret: Secret::new("s3cret".to_owned()) };
        account.api.key = Some(key);
        let request = request(&Command::Dial(dial()), &account);
        let credentials = shown(&request).strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode_to_vec(credentials).unwrap(), b"SK1:s3cret");
        assert!(request.path.contains(ACCOUNT_SID));
    }

    #[track_caller]
    fn check(file: &str, status: u16, cause: DialFailure) {
        let reply = fixture(&format!("rest/{file}"));
        let CommandOutcome::Refused(error) = outcome(&Command::Dial(dial()), status, &reply) else {
            panic!("{file} refuses nothing");
        };
        assert_eq!(error.cause, cause, "{file}");
    }

    #[test]
    fn a_dial_is_accepted_refused_or_unclear() {
        let command = Command::Dial(dial());
        let carrier_call_id = "CA88cc179ca23595acf5fcd9cca69e5106".to_owned();
        let created = outcome(&command, 201, &fixture("rest/call_created_201.json"));
        assert_eq!(created, CommandOutcome::Accepted { carrier_call_id });
        check("error_400_21210.json", 400, DialFailure::InvalidCallerId);
        check("error_400_21211.json", 400, DialFailure::InvalidNumber);
        check("error_401_20003.json", 401, DialFailure::Credentials);
        check("error_404_20404.json", 404, DialFailure::Credentials);
        let busy = outcome(&command, 429, &fixture("rest/error_429_20429.json"));
        assert_eq!(busy, CommandOutcome::Busy);
        for (status, body) in [(500, "{}"), (503, ""), (504, ""), (408, ""), (201, "not json")] {
            assert_eq!(outcome(&command, status, body.as_bytes()), CommandOutcome::Unclear);
        }
    }

    #[test]
    fn every_documented_refusal_has_a_cause() {
        for (code, expected) in [
            (21201, DialFailure::InvalidNumber),
            (21212, DialFailure::InvalidCallerId),
            (21213, DialFailure::InvalidCallerId),
            (21214, DialFailure::Unreachable),
            (21215, DialFailure::NotPermitted),
            (21216, DialFailure::NotPermitted),
            (21217, DialFailure::InvalidNumber),
            (21219, DialFailure::NotPermitted),
            (22005, DialFailure::Busy),
            (21205, DialFailure::Refused),
            (99999, DialFailure::Refused),
        ] {
            assert_eq!(cause(400, Some(code)), expected, "{code}");
        }
    }

    #[test]
    fn calls_are_looked_for_by_number_and_day() {
        let since = UnixMillis(1_767_268_800_000);
        let command = Command::FindCalls { from: dial().from, to: dial().to, since };
        let request = request(&command, &account(&[TOKEN]));
        assert_eq!(request.method, Method::GET);
        let (path, query) = request.path.split_once('?').unwrap();
        assert!(path.ends_with("/Calls.json"), "{path}");
        assert!(query.contains("StartTime%3E=2026%2D01%2D01"), "{query}");
        assert_eq!(values(&form(query), "To"), ["+14155550117"]);
        let call = String::from_utf8(fixture("rest/call_completed_200.json")).unwrap();
        let dialled = call.replace("outbound-api", "outbound-dial");
        let page = format!(r#"{{"calls":[{call},{dialled}]}}"#);
        let CommandOutcome::Found(found) = outcome(&command, 200, page.as_bytes()) else {
            panic!("nothing found");
        };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].status, CallStatus::Completed);
        assert_eq!(found[0].created_at, since);
        assert_eq!(found[0].answered_by, Some(AnsweredBy::Human));
    }

    #[test]
    fn pages_follow_each_other_on_the_accounts_own_path() {
        let since = UnixMillis(1_767_268_800_000);
        let first = Command::ListCalls { since, page: None };
        let path = request(&first, &account(&[TOKEN])).path;
        assert!(path.ends_with("/Calls.json?StartTime%3E=2026%2D01%2D01&PageSize=1000"), "{path}");
        let call = String::from_utf8(fixture("rest/call_completed_200.json")).unwrap();
        let inbound = call.replace("outbound-api", "inbound");
        let next = "https://elsewhere.example/x?PageSize=1000&Page=1&PageToken=PAx";
        let page = format!(r#"{{"calls":[{call},{inbound}],"next_page_uri":"{next}"}}"#);
        let CommandOutcome::Listed(page) = outcome(&first, 200, page.as_bytes()) else {
            panic!("nothing listed");
        };
        assert_eq!((page.calls.len(), page.listed), (1, 2));
        assert!(page.calls[0].to.is_some());
        let next = page.next.as_deref();
        let path = request(&Command::ListCalls { since, page: next }, &account(&[TOKEN])).path;
        let own = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json?");
        assert_eq!(path, format!("{own}PageSize=1000&Page=1&PageToken=PAx"));
        let forged = Command::ListCalls { since, page: Some("a=1#/../x y\r\n?b") };
        let path = request(&forged, &account(&[TOKEN])).path;
        assert_eq!(path, format!("{own}a=1..xyb"));
    }

    #[test]
    fn numbers_are_searched_bought_and_found() {
        let search =
            NumberSearch { country: "US", area_code: Some("415"), is_toll_free: false, limit: 5 };
        let search = Command::SearchNumbers(search);
        let path = request(&search, &account(&[TOKEN])).path;
        let own = format!("/2010-04-01/Accounts/{ACCOUNT_SID}");
        let query = "VoiceEnabled=true&PageSize=5&AreaCode=415";
        assert_eq!(path, format!("{own}/AvailablePhoneNumbers/US/Local.json?{query}"));
        let page = br#"{"available_phone_numbers":[{"phone_number":"+14155550142",
            "iso_country":"US","region":"CA","locality":null,"capabilities":{"voice":true}}]}"#;
        let offer = OfferedNumber {
            number: number(14_155_550_142),
            country: "US".to_owned(),
            is_toll_free: false,
            state: Some("CA".to_owned()),
            locality: None,
        };
        assert_eq!(outcome(&search, 200, page), CommandOutcome::Offered(vec![offer]));

        let order = NumberOrder {
            number: number(14_155_550_142),
            voice_url: "https://edge.example.com/carriers/main/voice",
            status_url: "https://edge.example.com/carriers/main/status",
        };
        let asked = request(&Command::BuyNumber(order), &account(&[TOKEN]));
        assert_eq!(asked.path, format!("{own}/IncomingPhoneNumbers.json"));
        let form = form(&asked.body);
        assert_eq!(values(&form, "PhoneNumber"), ["+14155550142"]);
        assert_eq!(values(&form, "VoiceUrl"), [order.voice_url]);
        assert_eq!(outcome(&Command::BuyNumber(order), 201, b"{}"), CommandOutcome::Owned(true));

        let page = fixture("rest/numbers_page0_200.json");
        for (value, is_owned) in [(12_125_550_140, true), (12_125_550_199, false)] {
            let find = Command::FindNumber { number: number(value) };
            assert_eq!(outcome(&find, 200, &page), CommandOutcome::Owned(is_owned));
        }
    }
}
