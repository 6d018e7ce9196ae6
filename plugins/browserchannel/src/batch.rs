//! The body of a request that brings messages: numbered maps in a form (`count=1&ofs=0&req0__S=hello`), or a JSON object.
//!
//! Of a map, `_S` (a text) and `JSON` (the text of any value) are messages; what else a map may have is for nobody.

use std::collections::BTreeMap;

use plugin_api::value::{self, Encoded};
use plugin_api::{Request, query_pairs};
use serde::Deserialize;

/// The messages of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The number of the first map.
    pub first: u64,
    /// How many maps there are.
    pub count: u64,
    /// The messages in them, by the map's place.
    pub messages: Vec<(u64, Vec<u8>)>,
}

/// A body that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Bad data")]
pub struct BadData;

impl Batch {
    /// What a request brings.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of(request: &Request<'_>) -> Result<Self, BadData> {
        let json = "application/json";
        let content_type = request.header("content-type").unwrap_or_default();
        if content_type.get(..json.len()).is_some_and(|value| value.eq_ignore_ascii_case(json)) {
            return Self::of_json(request.body());
        }
        Self::of_form(std::str::from_utf8(request.body()).map_err(|_| BadData)?)
    }

    fn of_form(form: &str) -> Result<Self, BadData> {
        let (mut count, mut first) = (None, None);
        let mut messages = BTreeMap::new();
        for (name, value) in query_pairs(form) {
            match name.as_str() {
                "count" => count = Some(value.parse::<u64>().map_err(|_| BadData)?),
                "ofs" => first = Some(value.parse::<u64>().map_err(|_| BadData)?),
                _ => {
                    if let Some(place) = place_of_message(&name) {
                        messages.insert(place, value.into_bytes());
                    }
                }
            }
        }
        let count = count.ok_or(BadData)?;
        if count == 0 {
            return Ok(Self::default());
        }
        messages.retain(|place, _| *place < count);
        let first = first.ok_or(BadData)?;
        // What comes after it has a number as well.
        first.checked_add(count).ok_or(BadData)?;
        Ok(Self { first, count, messages: messages.into_iter().collect() })
    }

    fn of_json(body: &[u8]) -> Result<Self, BadData> {
        #[derive(Deserialize)]
        struct Body<'a> {
            ofs: u64,
            #[serde(borrow)]
            data: Vec<Encoded<'a>>,
        }
        let mut encoded = Vec::new();
        json_text::decode::text(body, &mut encoded).map_err(|_| BadData)?;
        let Some(Body { ofs, data }) = value::decode(&encoded).map_err(|_| BadData)? else { return Ok(Self::default()) };
        let count = data.len() as u64;
        ofs.checked_add(count).ok_or(BadData)?;
        let messages = (0..).zip(data).map(|(place, value)| Ok((place, wire_of(value)?)));
        Ok(Self { first: ofs, count, messages: messages.collect::<Result<_, _>>()? })
    }
}

/// What a parser is to read: a text as it is, the JSON of anything else.
fn wire_of(value: Encoded<'_>) -> Result<Vec<u8>, BadData> {
    if let Ok(text) = value.decode::<String>() {
        return Ok(text.into_bytes());
    }
    let encoded = value::to_vec(&value).map_err(|_| BadData)?;
    let mut wire = Vec::new();
    json_text::encode::value(&encoded, &mut wire).map_err(|_| BadData)?;
    Ok(wire)
}

/// The place of the map that a field belongs to, where it is a message.
fn place_of_message(name: &str) -> Option<u64> {
    let (place, key) = name.strip_prefix("req")?.split_once('_')?;
    if !matches!(key, "_S" | "JSON") || !place.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    place.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64, count: u64, messages: &[(u64, &str)]) -> Result<Batch, BadData> {
        let messages = messages.iter().map(|(place, text)| (*place, text.as_bytes().to_vec())).collect();
        Ok(Batch { first, count, messages })
    }

    #[test]
    fn a_form_has_numbered_maps() {
        assert_eq!(Batch::of_form("count=0"), Ok(Batch::default()));
        let form = "count=3&ofs=4&req0__S=a%20%2B+%C3%A9&req1_x=no%20message&req2_JSON=%7B%22a%22%3A1%7D";
        assert_eq!(Batch::of_form(form), batch(4, 3, &[(0, "a + é"), (2, "{\"a\":1}")]));
    }

    #[test]
    fn the_order_of_fields_says_nothing_and_there_are_no_more_maps_than_announced() {
        let form = "req11__S=l&req2__S=c&req0__S=a&reqx__S=no&req-1__S=no&ofs=0&count=12&req12__S=no";
        assert_eq!(Batch::of_form(form), batch(0, 12, &[(0, "a"), (2, "c"), (11, "l")]));
    }

    #[test]
    fn a_form_without_its_numbers_is_bad() {
        let bad = ["", "ofs=0&req0__S=a", "count=1&req0__S=a", "count=x&ofs=0", "count=1&ofs=x", "count=-1&ofs=0"];
        let overflowing = "count=2&ofs=18446744073709551615";
        for form in bad.into_iter().chain([overflowing]) {
            assert_eq!(Batch::of_form(form), Err(BadData), "{form}");
        }
    }

    #[test]
    fn json_has_values() {
        let body = br#"{"ofs":2,"data":["text",{"b":1,"a":[null,1.5]},7]}"#;
        assert_eq!(Batch::of_json(body), batch(2, 3, &[(0, "text"), (1, r#"{"b":1,"a":[null,1.5]}"#), (2, "7")]));
        assert_eq!(Batch::of_json(b"null"), Ok(Batch::default()));
        for bad in ["", "{", "[]", "{\"ofs\":0}", "{\"ofs\":-1,\"data\":[]}", "{\"ofs\":0,\"data\":{}}"] {
            assert_eq!(Batch::of_json(bad.as_bytes()), Err(BadData), "{bad}");
        }
    }
}
