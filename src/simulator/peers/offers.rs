//! The numbers that a simulated carrier sells: of every area code the hundred that are kept for
//! fiction, but for those already sold.

use crate::simulator::exchange::Inner;

/// The area code of who names none.
const AREA: &str = "415";
/// The one of numbers whose callers do not pay.
const TOLL_FREE_AREA: &str = "800";

/// Numbers for sale.
pub(super) fn search(
    exchange: &Inner,
    area: Option<&str>,
    is_toll_free: bool,
) -> impl Iterator<Item = String> {
    let area = if is_toll_free { TOLL_FREE_AREA } else { area.unwrap_or(AREA) };
    let numbers = (0..100).map(move |line| format!("+1{area}55501{line:02}"));
    numbers.filter(|number| is_for_sale(number) && exchange.owned(number).is_none())
}

/// Whether it is one of ours to sell.
pub(super) fn is_for_sale(number: &str) -> bool {
    let digits = number.strip_prefix("+1").filter(|digits| digits.len() == 10);
    let Some((area, line)) = digits.and_then(|digits| digits.split_at_checked(3)) else {
        return false;
    };
    let is_area = area.starts_with(|c: char| ('2'..='9').contains(&c));
    is_area && area.bytes().all(|byte| byte.is_ascii_digit()) && line.starts_with("55501")
}
