//! Who is connected, as an operator is shown it: counts of all, and the oldest ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::{SparkInfo, value};

use super::protocol::{MOST_SPARKS, SparkReport, SparksReport};
use crate::spark::id::Info;

/// The addresses that a report counts.
const ADDRESSES: usize = 20;

/// A report on these sparks at a time in seconds since 1970.
pub(super) fn report(mut sparks: Vec<Arc<Info>>, limit: usize, now_s: u32) -> SparksReport {
    sparks.sort_by_key(|info| info.since_s);
    let mut report = SparksReport {
        count: sparks.len(),
        transports: BTreeMap::new(),
        parsers: BTreeMap::new(),
        addresses: Vec::new(),
        sparks: Vec::new(),
    };
    let mut addresses: BTreeMap<String, usize> = BTreeMap::new();
    for info in &sparks {
        // The host has encoded it itself.
        let Ok(known) = value::decode::<SparkInfo>(&info.encoded) else { continue };
        *report.transports.entry(known.transport.clone()).or_default() += 1;
        *report.parsers.entry(known.parser.clone()).or_default() += 1;
        let host = known.address.parse::<std::net::SocketAddr>().map(|address| address.ip().to_string());
        *addresses.entry(host.unwrap_or_else(|_| known.address.clone())).or_default() += 1;
        if report.sparks.len() < limit.min(MOST_SPARKS) {
            report.sparks.push(SparkReport {
                id: known.id,
                address: known.address,
                transport: known.transport,
                parser: known.parser,
                age_s: now_s.saturating_sub(info.since_s),
            });
        }
    }
    report.addresses = addresses.into_iter().collect();
    report.addresses.sort_by(|(a, few), (b, many)| many.cmp(few).then(a.cmp(b)));
    report.addresses.truncate(ADDRESSES);
    report
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use plugin_api::SparkId;

    use super::*;

    fn spark(slot: u32, address: &str, since_s: u32) -> Arc<Info> {
        let info = SparkInfo {
            id: format!("spark {slot}"),
            address: address.to_owned(),
            scheme: "http".to_owned(),
            path: "/primus".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            transport: "websockets".to_owned(),
            parser: if slot == 0 { "json" } else { "cbor" }.to_owned(),
        };
        let encoded = value::to_vec(&info).unwrap().into_boxed_slice();
        Arc::new(Info {
            id: SparkId::from_parts(0, slot, 1).unwrap(),
            secret: 0,
            encoded,
            since_s,
            exchanges: AtomicU32::new(0),
            transport: 0,
        })
    }

    #[test]
    fn all_are_counted_and_the_oldest_listed() {
        let sparks = vec![spark(0, "10.0.0.1:7", 9), spark(1, "10.0.0.1:8", 4), spark(2, "[::1]:9", 7)];
        let report = report(sparks, 2, 10);
        assert_eq!(report.count, 3);
        assert_eq!(report.transports, BTreeMap::from([("websockets".to_owned(), 3)]));
        assert_eq!(report.parsers, BTreeMap::from([("cbor".to_owned(), 2), ("json".to_owned(), 1)]));
        assert_eq!(report.addresses, [("10.0.0.1".to_owned(), 2), ("::1".to_owned(), 1)]);
        let listed: Vec<_> = report.sparks.iter().map(|spark| (spark.id.as_str(), spark.age_s)).collect();
        assert_eq!(listed, [("spark 1", 6), ("spark 2", 3)]);
    }
}
