//! Typed interfaces that one plugin offers to others through the host.
//!
//! [`service!`](crate::service) makes of one list of methods a trait for the plugin that offers them and a client for those who
//! call. A call is a name, a method and encoded arguments, resolved by the host at each call: so a service may be replaced
//! while others hold its client.

pub mod rooms;

/// Declares a service: the trait of who offers it, and the client of who calls it.
///
/// Methods of the trait answer `Result<T, String>`; those of the client `Result<T, ServiceError>`. Arguments may borrow (`&str`).
#[macro_export]
macro_rules! service {
    (
        $(#[$service_meta:meta])*
        $visibility:vis trait $service:ident as $client:ident = $name:literal {
            $($(#[$meta:meta])* fn $method:ident(&self $(, $argument:ident: $type:ty)* $(,)?) -> $result:ty;)*
        }
    ) => {
        $(#[$service_meta])*
        $visibility trait $service: Send + Sync + 'static {
            $(
                $(#[$meta])*
                ///
                /// # Errors
                ///
                /// The service refuses, with a text for the caller.
                fn $method(&self $(, $argument: $type)*) -> Result<$result, String>;
            )*
        }

        $(#[$service_meta])*
        ///
        /// This is the side of those who call it.
        #[derive(Clone)]
        $visibility struct $client {
            host: $crate::Host,
        }

        impl $client {
            /// The service's name.
            pub const NAME: &'static str = $name;

            /// A client. Whether a plugin offers the service shows at each call.
            pub fn new(host: $crate::Host) -> Self {
                Self { host }
            }

            /// Offers the service by `offered`.
            pub fn offer<S: $service>(registrar: &mut $crate::Registrar<'_>, offered: std::sync::Arc<S>) {
                registrar.service($name, move |method, arguments| match method {
                    $(stringify!($method) => {
                        let reply = $crate::value::decode(arguments)
                            .map_err(|error| format!("the arguments of `{}` are wrong: {error}", stringify!($method)))
                            .and_then(|($($argument,)*): ($($type,)*)| offered.$method($($argument),*));
                        $crate::services::reply(reply)
                    })*
                    _ => $crate::ServiceReply::NoSuchMethod,
                });
            }

            $(
                $(#[$meta])*
                ///
                /// # Errors
                ///
                /// No plugin offers it, or it refuses: see [`ServiceError`]($crate::ServiceError).
                pub fn $method(&self $(, $argument: $type)*) -> Result<$result, $crate::ServiceError> {
                    self.host.call($name, stringify!($method), &($($argument,)*))
                }
            )*
        }
    };
}

/// Encodes what a service's method has come to.
#[doc(hidden)]
pub fn reply<T: serde::Serialize>(result: Result<T, String>) -> crate::ServiceReply {
    let encoded = match &result {
        Ok(value) => crate::value::to_vec(value),
        Err(refusal) => crate::value::to_vec(refusal),
    };
    match (result, encoded) {
        (Ok(_), Ok(bytes)) => crate::ServiceReply::Done(bytes),
        (Err(_), Ok(bytes)) => crate::ServiceReply::Refused(bytes),
        (_, Err(_)) => crate::ServiceReply::Refused(Vec::new()),
    }
}
