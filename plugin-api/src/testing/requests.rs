//! HTTP in the bench: middleware, authorizers and routes.

use matchit::Router;

use super::boundary::with_raw;
use super::plugged::by_priority;
use super::world::World;
use crate::plugin::Refusal;
use crate::request::{Request, Response};
use crate::spark::SparkId;
use crate::value;

impl World {
    /// Leads a request for a new spark through middleware, authorizers and connection hooks.
    #[track_caller]
    pub(super) fn connect(&self, request: &Request<'_>) -> Result<SparkId, Refusal> {
        if let Some(response) = self.middleware(request) {
            let text = String::from_utf8_lossy(&response.body).into_owned();
            return Err(Refusal::new(text).with_status(response.status));
        }
        for (plugged, authorizer) in by_priority(&self.plugins(), |registrations| &registrations.authorizers) {
            self.answer(plugged, "an authorizer", |token| with_raw(request, |raw| authorizer.call(raw, token)))?;
        }
        self.open(request)
    }

    /// Leads a request through middleware and routes.
    #[track_caller]
    pub(super) fn request(&self, request: &Request<'_>) -> Response {
        self.middleware(request).unwrap_or_else(|| self.route(request))
    }

    fn middleware(&self, request: &Request<'_>) -> Option<Response> {
        let plugins = self.plugins();
        by_priority(&plugins, |registrations| &registrations.middleware).into_iter().find_map(|(plugged, middleware)| {
            plugged.enter(|| with_raw(request, |raw| middleware.call(raw))).unwrap_or_else(|fault| {
                self.fault(&plugged.name, "a middleware", &fault);
                None
            })
        })
    }

    #[track_caller]
    fn route(&self, request: &Request<'_>) -> Response {
        let plugins = self.plugins();
        let mut found = Response::text(404, "no route has this path");
        for plugged in &plugins {
            for (method, pattern, handler) in &plugged.registrations.routes {
                if !self.matches(&plugged.name, pattern, request.full_path()) {
                    continue;
                }
                if method != request.method() {
                    found = Response::text(405, "the routes of this path have other methods");
                    continue;
                }
                let place = format!("the route {method} {pattern}");
                let answer = self.answer(plugged, &place, |token| with_raw(request, |raw| handler.call(raw, token)));
                return match answer {
                    Ok(reply) => value::decode(&reply).unwrap_or_else(|error| {
                        self.broken(format!("{place} of the plugin `{}` answered no response: {error}", plugged.name));
                        Response::new(500)
                    }),
                    Err(refusal) => Response::text(refusal.status, refusal.message),
                };
            }
        }
        found
    }

    fn matches(&self, plugin: &str, pattern: &str, path: &str) -> bool {
        let mut router = Router::new();
        match router.insert(pattern, ()) {
            Ok(()) => router.at(path).is_ok(),
            Err(error) => {
                self.broken(format!("the plugin `{plugin}` has a route with the wrong pattern `{pattern}`: {error}"));
                false
            }
        }
    }
}
