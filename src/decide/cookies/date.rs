//! Dates of cookies, which are written in many ways (RFC 6265 §5.1.1).

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds since 1970 of a date, or nothing when it is none.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let is_delimiter = |c: char| c != ':' && c.is_ascii() && !c.is_ascii_alphanumeric();
    // Each token is the first thing that it can be and that is not there yet.
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        let (digits, number) = leading(token);
        if time.is_none()
            && let Some(found) = time_of_day(token)
        {
            time = Some(found);
        } else if day.is_none() && matches!(digits, 1 | 2) {
            day = Some(number);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none() && matches!(digits, 2..=4) {
            year = Some(number);
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let day = day.filter(|day| (1..=31).contains(day))?;
    (year >= 1601).then_some(days(year, month?, day) * 86_400 + time?)
}

/// How many digits a token begins with, and their number.
fn leading(token: &str) -> (usize, i64) {
    let count = token.bytes().take_while(u8::is_ascii_digit).count();
    (count, token[..count.min(9)].parse().unwrap_or_default())
}

fn time_of_day(token: &str) -> Option<i64> {
    let mut seconds = 0;
    let mut fields = token.splitn(3, ':');
    for below in [24, 60, 60] {
        let (digits, number) = leading(fields.next()?);
        if !matches!(digits, 1 | 2) || number >= below {
            return None;
        }
        seconds = seconds * 60 + number;
    }
    Some(seconds)
}

fn month_of(token: &str) -> Option<i64> {
    let start = token.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == start).map(|index| index as i64 + 1)
}

/// Days from 1970 to a date of the Gregorian calendar; years begin with March, so that the day of a
/// leap year is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_dates_of_cookies_are_read_in_all_their_spellings() {
        for (text, wanted) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("29 Feb 2024 23:59:59", Some(1_709_251_199)),
            ("1 mar 24 0:0:0", Some(1_709_251_200)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Wed, 01 Jan 1600 00:00:00 GMT", None),
            ("32 Jan 2024 00:00:00", None),
            ("1 Jan 2024 24:00:00", None),
            ("1 Jan 2024", None),
            ("never", None),
            ("", None),
            ("é 1 Jän 99999999999999999999 1:2:3", None),
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }
}
