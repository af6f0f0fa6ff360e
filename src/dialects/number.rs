//! How a number looks to people: country, kind, spellings. It proves nothing and asks nobody.

use super::rfc3339;
use crate::domain::{Direction, E164, NumberRecord};

/// A number record in the words that the dialects share.
#[derive(Clone, Debug)]
pub struct NumberShown {
    pub(super) country: Option<&'static str>,
    pub(super) is_toll_free: bool,
    pub(super) national: String,
    pub(super) international: String,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    pub(super) outbound: Vec<uuid::Uuid>,
}

impl From<&NumberRecord> for NumberShown {
    fn from(record: &NumberRecord) -> Self {
        let (national, international) = spellings(record.e164);
        let outbound = record.bindings.iter().filter(|b| b.direction == Direction::Outbound);
        Self {
            country: country(record.e164),
            is_toll_free: is_toll_free(record.e164),
            national,
            international,
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
            outbound: outbound.map(|binding| binding.agent.0).collect(),
        }
    }
}

impl NumberShown {
    /// The number as people of its country write it.
    pub(super) fn national(number: E164) -> String {
        spellings(number).0
    }
}

/// The ISO 3166 code of the country that the number's first digits belong to.
fn country(number: E164) -> Option<&'static str> {
    let digits = number.as_u64().to_string();
    // Within +1 the next three digits tell the countries apart (NANPA's list of area codes).
    let of = |table: &'static [(&str, &str)], len: usize| {
        let prefix = digits.get(..len)?;
        table.iter().find(|(_, list)| list.split(' ').any(|one| one == prefix)).map(|(iso, _)| *iso)
    };
    if digits.starts_with('1') {
        return of(NORTH_AMERICA, 4).or(Some("US"));
    }
    of(COUNTRIES, 3).or_else(|| of(COUNTRIES, 2)).or_else(|| of(COUNTRIES, 1))
}

fn is_toll_free(number: E164) -> bool {
    let digits = number.as_u64().to_string();
    let area = digits.strip_prefix('1').and_then(|rest| rest.get(..3));
    matches!(area, Some("800" | "833" | "844" | "855" | "866" | "877" | "888"))
}

/// `(415) 555-0100` and `+1 415-555-0100`; elsewhere groupings differ by city, so there are none.
fn spellings(number: E164) -> (String, String) {
    let digits = number.as_u64().to_string();
    let parts = digits
        .strip_prefix('1')
        .filter(|rest| rest.len() == 10)
        .and_then(|rest| Some((rest.get(..3)?, rest.get(3..6)?, rest.get(6..)?)));
    match parts {
        Some((area, office, line)) => {
            (format!("({area}) {office}-{line}"), format!("+1 {area}-{office}-{line}"))
        }
        None => (number.to_string(), number.to_string()),
    }
}

const NORTH_AMERICA: &[(&str, &str)] = &[
    (
        "CA",
        "1204 1226 1236 1249 1250 1257 1263 1289 1306 1343 1354 1365 1367 1368 1382 1403 1416 1418 \
         1428 1431 1437 1438 1450 1460 1468 1474 1506 1514 1519 1537 1548 1568 1579 1581 1584 1587 \
         1604 1613 1639 1647 1672 1683 1705 1709 1742 1753 1778 1780 1782 1807 1819 1825 1851 1867 \
         1873 1879 1902 1905 1942",
    ),
    ("AG", "1268"),
    ("AI", "1264"),
    ("AS", "1684"),
    ("BB", "1246"),
    ("BM", "1441"),
    ("BS", "1242"),
    ("DM", "1767"),
    ("DO", "1809 1829 1849"),
    ("GD", "1473"),
    ("GU", "1671"),
    ("JM", "1658 1876"),
    ("KN", "1869"),
    ("KY", "1345"),
    ("LC", "1758"),
    ("MP", "1670"),
    ("MS", "1664"),
    ("PR", "1787 1939"),
    ("SX", "1721"),
    ("TC", "1649"),
    ("TT", "1868"),
    ("VC", "1784"),
    ("VG", "1284"),
    ("VI", "1340"),
];

/// ITU-T E.164 country codes; where countries share one, the larger is named.
const COUNTRIES: &[(&str, &str)] = &[
    ("AD", "376"),
    ("AE", "971"),
    ("AF", "93"),
    ("AL", "355"),
    ("AM", "374"),
    ("AO", "244"),
    ("AR", "54"),
    ("AT", "43"),
    ("AU", "61"),
    ("AW", "297"),
    ("AZ", "994"),
    ("BA", "387"),
    ("BD", "880"),
    ("BE", "32"),
    ("BF", "226"),
    ("BG", "359"),
    ("BH", "973"),
    ("BI", "257"),
    ("BJ", "229"),
    ("BN", "673"),
    ("BO", "591"),
    ("BR", "55"),
    ("BT", "975"),
    ("BW", "267"),
    ("BY", "375"),
    ("BZ", "501"),
    ("CD", "243"),
    ("CF", "236"),
    ("CG", "242"),
    ("CH", "41"),
    ("CI", "225"),
    ("CK", "682"),
    ("CL", "56"),
    ("CM", "237"),
    ("CN", "86"),
    ("CO", "57"),
    ("CR", "506"),
    ("CU", "53"),
    ("CV", "238"),
    ("CW", "599"),
    ("CY", "357"),
    ("CZ", "420"),
    ("DE", "49"),
    ("DJ", "253"),
    ("DK", "45"),
    ("DZ", "213"),
    ("EC", "593"),
    ("EE", "372"),
    ("EG", "20"),
    ("ER", "291"),
    ("ES", "34"),
    ("ET", "251"),
    ("FI", "358"),
    ("FJ", "679"),
    ("FK", "500"),
    ("FM", "691"),
    ("FO", "298"),
    ("FR", "33"),
    ("GA", "241"),
    ("GB", "44"),
    ("GE", "995"),
    ("GF", "594"),
    ("GH", "233"),
    ("GI", "350"),
    ("GL", "299"),
    ("GM", "220"),
    ("GN", "224"),
    ("GP", "590"),
    ("GQ", "240"),
    ("GR", "30"),
    ("GT", "502"),
    ("GW", "245"),
    ("GY", "592"),
    ("HK", "852"),
    ("HN", "504"),
    ("HR", "385"),
    ("HT", "509"),
    ("HU", "36"),
    ("ID", "62"),
    ("IE", "353"),
    ("IL", "972"),
    ("IN", "91"),
    ("IQ", "964"),
    ("IR", "98"),
    ("IS", "354"),
    ("IT", "39"),
    ("JO", "962"),
    ("JP", "81"),
    ("KE", "254"),
    ("KG", "996"),
    ("KH", "855"),
    ("KI", "686"),
    ("KM", "269"),
    ("KP", "850"),
    ("KR", "82"),
    ("KW", "965"),
    ("LA", "856"),
    ("LB", "961"),
    ("LI", "423"),
    ("LK", "94"),
    ("LR", "231"),
    ("LS", "266"),
    ("LT", "370"),
    ("LU", "352"),
    ("LV", "371"),
    ("LY", "218"),
    ("MA", "212"),
    ("MC", "377"),
    ("MD", "373"),
    ("ME", "382"),
    ("MG", "261"),
    ("MH", "692"),
    ("MK", "389"),
    ("ML", "223"),
    ("MM", "95"),
    ("MN", "976"),
    ("MO", "853"),
    ("MQ", "596"),
    ("MR", "222"),
    ("MT", "356"),
    ("MU", "230"),
    ("MV", "960"),
    ("MW", "265"),
    ("MX", "52"),
    ("MY", "60"),
    ("MZ", "258"),
    ("NA", "264"),
    ("NC", "687"),
    ("NE", "227"),
    ("NG", "234"),
    ("NI", "505"),
    ("NL", "31"),
    ("NO", "47"),
    ("NP", "977"),
    ("NR", "674"),
    ("NU", "683"),
    ("NZ", "64"),
    ("OM", "968"),
    ("PA", "507"),
    ("PE", "51"),
    ("PF", "689"),
    ("PG", "675"),
    ("PH", "63"),
    ("PK", "92"),
    ("PL", "48"),
    ("PM", "508"),
    ("PS", "970"),
    ("PT", "351"),
    ("PW", "680"),
    ("PY", "595"),
    ("QA", "974"),
    ("RE", "262"),
    ("RO", "40"),
    ("RS", "381"),
    ("RU", "7"),
    ("RW", "250"),
    ("SA", "966"),
    ("SB", "677"),
    ("SC", "248"),
    ("SD", "249"),
    ("SE", "46"),
    ("SG", "65"),
    ("SH", "290"),
    ("SI", "386"),
    ("SK", "421"),
    ("SL", "232"),
    ("SM", "378"),
    ("SN", "221"),
    ("SO", "252"),
    ("SR", "597"),
    ("SS", "211"),
    ("ST", "239"),
    ("SV", "503"),
    ("SY", "963"),
    ("SZ", "268"),
    ("TD", "235"),
    ("TG", "228"),
    ("TH", "66"),
    ("TJ", "992"),
    ("TL", "670"),
    ("TM", "993"),
    ("TN", "216"),
    ("TO", "676"),
    ("TR", "90"),
    ("TV", "688"),
    ("TW", "886"),
    ("TZ", "255"),
    ("UA", "380"),
    ("UG", "256"),
    ("UY", "598"),
    ("UZ", "998"),
    ("VE", "58"),
    ("VN", "84"),
    ("VU", "678"),
    ("WF", "681"),
    ("WS", "685"),
    ("XK", "383"),
    ("YE", "967"),
    ("ZA", "27"),
    ("ZM", "260"),
    ("ZW", "263"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, iso: Option<&str>, toll_free: bool, national: &str) {
        let number = E164::parse(text).unwrap();
        assert_eq!(country(number), iso, "{text}");
        assert_eq!(is_toll_free(number), toll_free, "{text}");
        assert_eq!(spellings(number).0, national);
    }

    #[test]
    fn numbers_are_shown_as_people_know_them() {
        check("+14155550100", Some("US"), false, "(415) 555-0100");
        check("+14165550100", Some("CA"), false, "(416) 555-0100");
        check("+18005550100", Some("US"), true, "(800) 555-0100");
        check("+18095550100", Some("DO"), false, "(809) 555-0100");
        check("+4930901820", Some("DE"), false, "+4930901820");
        check("+77012345678", Some("RU"), false, "+77012345678");
        check("+35312345678", Some("IE"), false, "+35312345678");
        check("+883510000000", None, false, "+883510000000");
    }
}
