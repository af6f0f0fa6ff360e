//! Bandwidth's numbers, as its dashboard lists them in XML (Bandwidth docs,
//! numbers/manage-inventory/searchingNumbers). A number is at a location, and the location says
//! which application answers: who answers a number is not in the list, and is not changed here.

use http::Method;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

use crate::{
    carriers::{
        Answerer, ApiRequest, Authorization, HeldApplication, HeldNumber, NumberCommand,
        NumberOutcome, NumberPage, PointTo, Pointing, shared::query,
    },
    domain::{Account, CarrierFields, E164, PointCause},
};

/// Where numbers are, unlike calls.
const HOST: &str = "https://dashboard.bandwidth.com";

/// Rows of a page.
const PAGE_SIZE: &str = "500";

/// None for what there is no request for.
pub(super) fn request(
    command: &NumberCommand<'_>,
    account: &Account,
    authorization: Authorization,
) -> Option<ApiRequest> {
    let NumberCommand::List { page } = command else { return None };
    let mut query = String::new();
    query::push(&mut query, "accountId", &account.account_id);
    // Not a count, but for the first.
    query::push(&mut query, "page", page.unwrap_or("1"));
    query::push(&mut query, "size", PAGE_SIZE);
    Some(ApiRequest {
        method: Method::GET,
        host: Some(HOST),
        path: format!("/api/tns?{query}"),
        authorization,
        content_type: "application/xml",
        body: String::new(),
    })
}

pub(super) fn success(command: &NumberCommand<'_>, body: &[u8]) -> Option<NumberOutcome> {
    let NumberCommand::List { .. } = command else { return None };
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let root = document.root_element();
    let is_list = root.has_tag_name("TelephoneNumbersResponse");
    let rows = root.descendants().filter(|node| node.has_tag_name("TelephoneNumber"));
    let next = child(root, "Links").and_then(|links| child(links, "next"));
    is_list.then(|| {
        NumberOutcome::Listed(NumberPage {
            numbers: rows.filter_map(held).collect(),
            next: next.and_then(|next| page_of(next.text()?)),
        })
    })
}

/// What an error's document says, for people.
pub(super) fn description(body: &[u8]) -> Option<String> {
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let said = document.descendants().find(|node| node.has_tag_name("Description"))?;
    said.text().map(str::to_owned)
}

fn child<'a, 'x>(node: Node<'a, 'x>, name: &str) -> Option<Node<'a, 'x>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// `Link=<https://dashboard.bandwidth.com/api/tns?...&page=ID>;rel="next";`: the id alone, for the
/// credentials go nowhere else.
fn page_of(link: &str) -> Option<String> {
    let (_, rest) = link.split_once('<')?;
    let (url, _) = rest.split_once('>')?;
    let query = query::of(url)?;
    let id = query.split('&').find_map(|pair| pair.strip_prefix("page="))?;
    let id = percent_decode_str(id).decode_utf8().ok()?;
    (!id.is_empty()).then(|| id.into_owned())
}

/// Those in service alone: the others are being ported, kept for somebody, or gone.
fn held(row: Node<'_, '_>) -> Option<HeldNumber> {
    let word = |name: &str| Some(child(row, name)?.text()?.trim());
    let digits = word("FullNumber").filter(|_| word("Status") == Some("Inservice"))?;
    // Ten of them, as at home.
    let is_ten = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = E164::parse(&format!("+1{digits}")).filter(|_| is_ten)?;
    Some(HeldNumber {
        number,
        id: digits.to_owned(),
        name: None,
        takes_calls: true,
        answerer: Answerer::Unknown,
        fields: CarrierFields::new(),
    })
}

/// Numbers are listed, and pointed by who points their location.
#[derive(Debug)]
pub(super) struct Numbers;

impl Pointing for Numbers {
    fn is_by_application(&self) -> bool {
        false
    }

    fn refuses(&self, _own: Option<&HeldApplication>) -> Option<PointCause> {
        Some(PointCause::ByLocation)
    }

    fn number(&self, _held: &HeldNumber, _to: &PointTo<'_>) -> CarrierFields {
        CarrierFields::new()
    }

    fn application(&self, _held: &HeldApplication, _to: &PointTo<'_>) -> CarrierFields {
        CarrierFields::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        carriers::shared::credentials::basic,
        domain::{AccountOrigin, CarrierId},
    };

    const LIST: NumberCommand<'_> = NumberCommand::List { page: None };

    #[test]
    fn the_list_is_at_the_dashboard() {
        let mut account = Account::named("m".into(), CarrierId::Bandwidth, AccountOrigin::File);
        account.account_id = "9900008".to_owned();
        let asked = |page| {
            let command = NumberCommand::List { page };
            request(&command, &account, Authorization::Header(basic("u", "p"))).unwrap()
        };
        assert_eq!(asked(None).host, Some("https://dashboard.bandwidth.com"));
        assert_eq!(asked(None).path, "/api/tns?accountId=9900008&page=1&size=500");
        // Whoever names a page names no other account by it.
        let path = asked(Some("2&accountId=1")).path;
        assert_eq!(path, "/api/tns?accountId=9900008&page=2%26accountId%3D1&size=500");
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_an_empty_one() {
        let page = |body: &str| success(&LIST, body.as_bytes());
        let empty = NumberPage { numbers: Vec::new(), next: None };
        let said = "<TelephoneNumbersResponse><TelephoneNumberCount>0</TelephoneNumberCount>\
            <Links><first/><next/></Links></TelephoneNumbersResponse>";
        assert_eq!(page(said), Some(NumberOutcome::Listed(empty)));
        for other in ["", "{}", "<html>", "<html><body/></html>", "<TelephoneNumbersResponse>"] {
            assert_eq!(page(other), None, "{other}");
        }
        for link in ["", "page=2", "Link=<https://x/tns?size=1>;", "Link=<https://x/?page=>;"] {
            assert_eq!(page_of(link), None, "{link}");
        }
        let link = "Link=<https://elsewhere.example/tns?size=2&page=9%2E1>;rel=\"next\";";
        assert_eq!(page_of(link).as_deref(), Some("9.1"));
    }
}
