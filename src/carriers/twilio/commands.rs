//! Twilio's REST API as values: the request for a command, and what its reply means (Twilio docs,
//! voice/api/call-resource). It sends nothing.

use base64_simd::STANDARD;
use http::Method;
use jiff::{Timestamp, tz::TimeZone};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::webhook;
use crate::{
    carriers::{
        ApiError, ApiRequest, Authorization, CallPage, Command, CommandOutcome, Dial, FoundCall,
        NumberOrder, NumberSearch, OfferedNumber,
    },
    domain::{Account, DialFailure, E164, Secret, UnixMillis},
};

/// Where the API is.
pub(super) const API_URL: &str = "https://api.twilio.com";

/// Rows of a page at most (Twilio docs, usage/twilios-response).
const PAGE_SIZE: &str = "1000";

/// Longer ringing is refused (Twilio docs, voice/api/call-resource, Timeout).
const TIMEOUT_SECONDS_MAX: u32 = 600;

pub(super) fn request(command: &Command<'_>, account: &Account) -> ApiRequest {
    let account_sid = utf8_percent_encode(&account.account_id, NON_ALPHANUMERIC);
    let base = format!("/2010-04-01/Accounts/{account_sid}");
    let (calls, numbers) = (format!("{base}/Calls"), format!("{base}/IncomingPhoneNumbers"));
    let (method, path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            let call_sid = utf8_percent_encode(carrier_call_id, NON_ALPHANUMERIC);
            (Method::POST, format!("{calls}/{call_sid}.json"), "Status=completed".to_owned())
        }
        Command::Redirect { carrier_call_id, url } => {
            let call_sid = utf8_percent_encode(carrier_call_id, NON_ALPHANUMERIC);
            let mut form = String::with_capacity(256);
            push(&mut form, "Url", url);
            push(&mut form, "Method", "POST");
            (Method::POST, format!("{calls}/{call_sid}.json"), form)
        }
        Command::Dial(call) => (Method::POST, format!("{calls}.json"), dial_form(call)),
        Command::FindCalls { from, to, since } => {
            let mut query = String::new();
            push(&mut query, "To", &to.to_string());
            push(&mut query, "From", &from.to_string());
            push(&mut query, "StartTime>", &day(*since));
            push(&mut query, "PageSize", "50");
            (Method::GET, format!("{calls}.json?{query}"), String::new())
        }
        Command::ListCalls { since, page } => {
            let mut query = String::new();
            push(&mut query, "StartTime>", &day(*since));
            push(&mut query, "PageSize", PAGE_SIZE);
            let query = page.map_or(query, safe_query);
            (Method::GET, format!("{calls}.json?{query}"), String::new())
        }
        Command::SearchNumbers(search) => {
            let path = format!("{base}/AvailablePhoneNumbers/{}", search_query(search));
            (Method::GET, path, String::new())
        }
        Command::BuyNumber(order) => (Method::POST, format!("{numbers}.json"), order_form(order)),
        Command::FindNumber { number } => {
            let mut query = String::new();
            push(&mut query, "PhoneNumber", &number.to_string());
            (Method::GET, format!("{numbers}.json?{query}"), String::new())
        }
    };
    let content_type = "application/x-www-form-urlencoded";
    let authorization = Authorization::Header(authorization(account));
    ApiRequest { method, host: None, path, authorization, content_type, body }
}

/// The rest of a search's path (Twilio docs, phone-numbers/api/availablephonenumber-resource).
fn search_query(search: &NumberSearch<'_>) -> String {
    let country = utf8_percent_encode(search.country, NON_ALPHANUMERIC);
    let kind = if search.is_toll_free { "TollFree" } else { "Local" };
    let mut query = String::new();
    push(&mut query, "VoiceEnabled", "true");
    push(&mut query, "PageSize", &search.limit.to_string());
    if let Some(area_code) = search.area_code {
        push(&mut query, "AreaCode", area_code);
    }
    format!("{country}/{kind}.json?{query}")
}

/// An order that also says who answers the number's calls (Twilio docs,
/// phone-numbers/api/incomingphonenumber-resource).
fn order_form(order: &NumberOrder<'_>) -> String {
    let mut form = String::new();
    push(&mut form, "PhoneNumber", &order.number.to_string());
    push(&mut form, "VoiceUrl", order.voice_url);
    push(&mut form, "VoiceMethod", "POST");
    push(&mut form, "StatusCallback", order.status_url);
    push(&mut form, "StatusCallbackMethod", "POST");
    form
}

/// What was once the query of a page's URI, as a query again, whoever kept it meanwhile.
fn safe_query(query: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-._~%&=+:".contains(*c);
    query.chars().filter(is_plain).collect()
}

/// Basic, by the API key where there is one (Twilio docs, iam/api-keys).
fn authorization(account: &Account) -> Secret {
    let (user, password) = match &account.api.key {
        Some(key) => (&key.id, key.secret.reveal()),
        None => (&account.account_id, account.secrets.first().map_or("", Secret::reveal)),
    };
    let credentials = STANDARD.encode_to_string(format!("{user}:{password}"));
    Secret::new(format!("Basic {credentials}"))
}

fn dial_form(call: &Dial<'_>) -> String {
    let mut form = String::with_capacity(512);
    push(&mut form, "To", &call.to.to_string());
    push(&mut form, "From", &call.from.to_string());
    for name in ["Url", "FallbackUrl"] {
        push(&mut form, name, call.voice_url);
    }
    push(&mut form, "StatusCallback", call.status_url);
    // Each event by a parameter of its own; one list of words would be one unknown word.
    for event in ["initiated", "ringing", "answered", "completed"] {
        push(&mut form, "StatusCallbackEvent", event);
    }
    for name in ["Method", "FallbackMethod", "StatusCallbackMethod"] {
        push(&mut form, name, "POST");
    }
    push(&mut form, "Timeout", &call.ring_seconds.min(TIMEOUT_SECONDS_MAX).to_string());
    if call.detects_machine {
        // Asynchronous: nobody is kept waiting in silence while the carrier listens.
        push(&mut form, "MachineDetection", "Enable");
        push(&mut form, "AsyncAmd", "true");
        push(&mut form, "AsyncAmdStatusCallback", call.status_url);
        push(&mut form, "AsyncAmdStatusCallbackMethod", "POST");
    }
    form
}

fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
    form.push('=');
    form.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
}

/// Twilio compares whole days, in UTC.
fn day(at: UnixMillis) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    let error = match status {
        200..300 => return success(command, body),
        429 => return CommandOutcome::Busy,
        // Whoever answers so may have passed it on before.
        408 | 500.. => return CommandOutcome::Unclear,
        _ => error(status, body),
    };
    match command {
        // No such call any more; not in a state to be ended.
        Command::HangUp { .. }
            if matches!((status, error.code), (404, Some(20404)) | (400, Some(21220))) =>
        {
            CommandOutcome::Done
        }
        Command::HangUp { .. }
        | Command::Redirect { .. }
        | Command::Dial(_)
        | Command::FindCalls { .. }
        | Command::ListCalls { .. }
        | Command::SearchNumbers(_)
        | Command::BuyNumber(_)
        | Command::FindNumber { .. } => CommandOutcome::Refused(error),
    }
}

fn success(command: &Command<'_>, body: &[u8]) -> CommandOutcome {
    match command {
        Command::HangUp { .. } | Command::Redirect { .. } => CommandOutcome::Done,
        Command::Dial(_) => match serde_json::from_slice::<CallBody>(body) {
            Ok(call) => CommandOutcome::Accepted { carrier_call_id: call.sid },
            Err(_) => CommandOutcome::Unclear,
        },
        Command::FindCalls { .. } => match serde_json::from_slice::<CallsBody>(body) {
            Ok(page) => CommandOutcome::Found(placed(&page)),
            Err(_) => CommandOutcome::Unclear,
        },
        Command::ListCalls { .. } => match serde_json::from_slice::<CallsBody>(body) {
            Ok(page) => CommandOutcome::Listed(CallPage {
                calls: placed(&page),
                listed: page.calls.len(),
                next: page.next_page_uri.as_deref().and_then(query_of),
            }),
            Err(_) => CommandOutcome::Unclear,
        },
        Command::SearchNumbers(search) => match serde_json::from_slice::<OffersBody>(body) {
            Ok(found) => {
                let offers = found.available_phone_numbers.iter();
                let offers = offers.filter_map(|offer| offered(offer, search.is_toll_free));
                CommandOutcome::Offered(offers.collect())
            }
            Err(_) => CommandOutcome::Unclear,
        },
        Command::BuyNumber(_) => CommandOutcome::Owned(true),
        Command::FindNumber { number } => match serde_json::from_slice::<NumbersBody>(body) {
            Ok(found) => {
                // The filter is a pattern: what it found may be another number.
                let mut owned = found.incoming_phone_numbers.iter();
                let is_it = |owned: &NumberBody| E164::parse(&owned.phone_number) == Some(*number);
                CommandOutcome::Owned(owned.any(is_it))
            }
            Err(_) => CommandOutcome::Unclear,
        },
    }
}

fn offered(call: &OfferBody, is_toll_free: bool) -> Option<OfferedNumber> {
    Some(OfferedNumber {
        number: E164::parse(&call.phone_number)?,
        country: call.iso_country.clone(),
        is_toll_free,
        state: call.region.clone(),
        locality: call.locality.clone(),
    })
}

/// The calls of a page that an API placed.
fn placed(page: &CallsBody) -> Vec<FoundCall> {
    let placed = page.calls.iter().filter(|call| call.direction == "outbound-api");
    placed.filter_map(found).collect()
}

/// The next page's URI but for its path, which is ours: the credentials go nowhere else.
fn query_of(uri: &str) -> Option<String> {
    uri.split_once('?').map(|(_, query)| query.to_owned())
}

/// A call, as created and as listed.
#[derive(Deserialize)]
struct CallBody {
    sid: String,
    #[serde(default)]
    direction: String,
    from: Option<String>,
    to: Option<String>,
    status: Option<String>,
    date_created: Option<String>,
    answered_by: Option<String>,
}

#[derive(Deserialize)]
struct CallsBody {
    calls: Vec<CallBody>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct OffersBody {
    available_phone_numbers: Vec<OfferBody>,
}

#[derive(Deserialize)]
struct OfferBody {
    phone_number: String,
    iso_country: String,
    region: Option<String>,
    locality: Option<String>,
}

#[derive(Deserialize)]
struct NumbersBody {
    incoming_phone_numbers: Vec<NumberBody>,
}

#[derive(Deserialize)]
struct NumberBody {
    phone_number: String,
}

fn found(call: &CallBody) -> Option<FoundCall> {
    Some(FoundCall {
        carrier_call_id: call.sid.clone(),
        from: call.from.as_deref().and_then(E164::parse),
        to: call.to.as_deref().and_then(E164::parse),
        status: call.status.as_deref().and_then(webhook::call_status)?,
        created_at: call.date_created.as_deref().and_then(webhook::timestamp)?,
        answered_by: call.answered_by.as_deref().map(webhook::answered_by),
    })
}

/// An error body: Twilio's own form, or that of RFC 9457 in its newer services.
#[derive(Default, Deserialize)]
struct ErrorBody {
    code: Option<u32>,
    message: Option<String>,
    detail: Option<String>,
    title: Option<String>,
}

fn error(status: u16, body: &[u8]) -> ApiError {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let message = body.message.or(body.detail).or(body.title).unwrap_or_default();
    ApiError { cause: cause(status, body.code), status, code: body.code, message }
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
    use super::{
        super::tests::{ACCOUNT_SID, TOKEN, account, fixture},
        *,
    };
    use crate::{
        carriers::AnsweredBy,
        domain::{ApiKey, CallStatus},
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
        let call = Dial { detects_machine: true, ring_seconds: 900, ..dial() };
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
