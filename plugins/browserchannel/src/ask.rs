//! What a request asks of the protocol, by its path, its method and its query.
//!
//! Knows the names of parameters (`VER`, `MODE`, `TYPE`, `RID`, `SID`, `AID`, `CI`, `OSID`). Knows no sessions.

use plugin_api::{Request, query_pairs};

use crate::carrier::Form;

/// The one version of the protocol that is spoken.
const VERSION: &str = "8";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Which hosts there are: the first question of a client.
    Hosts,
    /// Whether something on the way keeps a response back until it ends: the second.
    Trial(Form),
    /// A new session; the body may have messages already.
    Open {
        /// The request's number.
        rid: Option<u64>,
        /// The session that the client had before, as far as it knows.
        former: Option<String>,
    },
    /// Something of a session.
    Of {
        /// Its id.
        sid: String,
        /// The last array that the client has.
        acknowledged: Option<u64>,
        /// What.
        what: What,
    },
    /// To forget a session that the client has no id of.
    Nothing,
}

/// What is asked of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// To take messages. With the request's number.
    Forward(Option<u64>),
    /// To send arrays.
    Back {
        /// How they stand in the response.
        form: Form,
        /// Whether the response may go on after the first of them.
        streams: bool,
    },
    /// To end. With the request's number: those before it come first.
    Leave(Option<u64>),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The client speaks another version.
    #[error("Version 8 required")]
    Version,
    /// Arrays are asked for with a number of a request instead of `rpc`.
    #[error("Expected RPC")]
    NotRpc,
    /// `TYPE` is none that there is.
    #[error("Unknown TYPE")]
    Type,
    /// The path is there, but not for this method.
    #[error("Method not allowed")]
    Method,
}

impl Ask {
    /// What a request asks; `None`: it is not of this protocol, since its path is another one or it names no version.
    pub fn of(request: &Request<'_>) -> Option<Result<Self, Wrong>> {
        let is_test = match request.path() {
            "/test" => true,
            "/bind" => false,
            _ => return None,
        };
        let query = Query::of(request);
        let version = query.version.as_deref()?;
        Some(match (version, is_test) {
            (VERSION, true) => query.test(request.method()),
            (VERSION, false) => query.bind(request.method()),
            _ => Err(Wrong::Version),
        })
    }
}

/// The parameters that mean something; the first of each name.
#[derive(Default)]
struct Query {
    version: Option<String>,
    mode: Option<String>,
    kind: Option<String>,
    rid: Option<String>,
    sid: Option<String>,
    acknowledged: Option<String>,
    whole: Option<String>,
    former: Option<String>,
}

impl Query {
    fn of(request: &Request<'_>) -> Self {
        let mut query = Self::default();
        for (name, value) in query_pairs(request.query()) {
            let place = match name.as_str() {
                "VER" => &mut query.version,
                "MODE" => &mut query.mode,
                "TYPE" => &mut query.kind,
                "RID" => &mut query.rid,
                "SID" => &mut query.sid,
                "AID" => &mut query.acknowledged,
                "CI" => &mut query.whole,
                "OSID" => &mut query.former,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        query
    }

    fn form(&self) -> Result<Form, Wrong> {
        match self.kind.as_deref() {
            Some("html") => Ok(Form::Html),
            Some("xmlhttp") => Ok(Form::Plain),
            _ => Err(Wrong::Type),
        }
    }

    fn test(self, method: &str) -> Result<Ask, Wrong> {
        if method != "GET" {
            return Err(Wrong::Method);
        }
        match self.mode.as_deref() {
            Some("init") => Ok(Ask::Hosts),
            _ => self.form().map(Ask::Trial),
        }
    }

    fn bind(self, method: &str) -> Result<Ask, Wrong> {
        let number = self.rid.as_deref().and_then(|rid| rid.parse().ok());
        let sid = self.sid.clone().filter(|sid| !sid.is_empty());
        let what = match method {
            "POST" if sid.is_none() => return Ok(Ask::Open { rid: number, former: self.former }),
            "POST" => What::Forward(number),
            "GET" if self.kind.as_deref() == Some("terminate") => What::Leave(number),
            "GET" if self.rid.as_deref() != Some("rpc") => return Err(Wrong::NotRpc),
            "GET" => What::Back { form: self.form()?, streams: self.whole.as_deref() == Some("0") },
            _ => return Err(Wrong::Method),
        };
        // A client that has nothing yet says -1.
        let acknowledged = self.acknowledged.as_deref().and_then(|id| id.parse().ok());
        Ok(sid.map_or(Ask::Nothing, |sid| Ask::Of { sid, acknowledged, what }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(what: &str) -> Option<Result<Ask, Wrong>> {
        let (method, target) = what.split_once(' ').unwrap();
        Ask::of(&Request::new(method, target))
    }

    fn of(acknowledged: Option<u64>, what: What) -> Option<Result<Ask, Wrong>> {
        Some(Ok(Ask::Of { sid: "s".to_owned(), acknowledged, what }))
    }

    #[test]
    fn a_request_says_what_it_is_for() {
        assert_eq!(asked("GET /test?VER=8&MODE=init&zx=1&t=1"), Some(Ok(Ask::Hosts)));
        assert_eq!(asked("GET /test?VER=8&TYPE=xmlhttp"), Some(Ok(Ask::Trial(Form::Plain))));
        assert_eq!(asked("GET /test?VER=8&TYPE=html"), Some(Ok(Ask::Trial(Form::Html))));
        assert_eq!(asked("POST /bind?VER=8&RID=7&CVER=1"), Some(Ok(Ask::Open { rid: Some(7), former: None })));
        let again = Ask::Open { rid: Some(7), former: Some("old".to_owned()) };
        assert_eq!(asked("POST /bind?VER=8&RID=7&OSID=old&OAID=3"), Some(Ok(again)));
        assert_eq!(asked("POST /bind?VER=8&RID=8&SID=s&AID=-1"), of(None, What::Forward(Some(8))));
        let back = |form, streams| What::Back { form, streams };
        assert_eq!(asked("GET /bind?VER=8&RID=rpc&SID=s&CI=0&AID=4&TYPE=xmlhttp"), of(Some(4), back(Form::Plain, true)));
        assert_eq!(asked("GET /bind?VER=8&RID=rpc&SID=s&CI=1&TYPE=html"), of(None, back(Form::Html, false)));
        assert_eq!(asked("GET /bind?VER=8&RID=9&SID=s&TYPE=terminate"), of(None, What::Leave(Some(9))));
        assert_eq!(asked("GET /bind?VER=8&RID=9&TYPE=terminate"), Some(Ok(Ask::Nothing)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(asked("GET /test?VER=7&MODE=init"), Some(Err(Wrong::Version)));
        assert_eq!(asked("POST /bind?VER=&RID=1"), Some(Err(Wrong::Version)));
        assert_eq!(asked("POST /test?VER=8&MODE=init"), Some(Err(Wrong::Method)));
        assert_eq!(asked("PUT /bind?VER=8&SID=s"), Some(Err(Wrong::Method)));
        assert_eq!(asked("GET /test?VER=8"), Some(Err(Wrong::Type)));
        assert_eq!(asked("GET /bind?VER=8&SID=s&RID=rpc&TYPE=other"), Some(Err(Wrong::Type)));
        assert_eq!(asked("GET /bind?VER=8&SID=s&RID=5&TYPE=xmlhttp"), Some(Err(Wrong::NotRpc)));
    }

    #[test]
    fn what_names_no_version_is_nobodys() {
        for other in ["GET /test", "POST /bind?RID=1", "GET /test/?VER=8", "GET /?VER=8", "GET /bind/x?VER=8"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }
}
