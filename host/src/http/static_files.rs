//! Folders that are served as they are: pages, scripts, pictures.
//!
//! `tower-http` does the reading, types, ranges, `ETag` and `Last-Modified`. What is ours: which folder a path belongs
//! to, and that nothing whose name starts with a dot is ever served. A
//! folder without `index.html` is not listed.

use std::{collections::BTreeMap, io, path::PathBuf};

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use tower_http::services::{ServeDir, fs::ServeFileSystemResponseBody};

use crate::config::Pathname;

/// Folders by the path that they appear under.
#[derive(Debug, Clone, Default)]
pub struct StaticFiles {
    /// Longest path first, so that the most special folder answers.
    folders: Vec<(Pathname, ServeDir)>,
}

impl StaticFiles {
    /// Serves each folder under its path.
    pub fn new(folders: &BTreeMap<Pathname, PathBuf>) -> Self {
        let mut folders: Vec<_> = folders
            .iter()
            .map(|(path, folder)| {
                let prefix = path.as_str().trim_end_matches('/');
                let folder = ServeDir::new(folder).redirect_path_prefix(prefix);
                (path.clone(), folder)
            })
            .collect();
        folders.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_str().len()));
        Self { folders }
    }

    /// The file that `request` asks for; `None` if there is none, it is hidden, or the request doesn't want to read.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn respond<B>(&self, request: &Request<B>) -> Option<Response<ServeFileSystemResponseBody>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let (rest, folder) =
            self.folders.iter().find_map(|(path, folder)| Some((path.strip(request.uri().path())?, folder)))?;
        if is_hidden(rest) {
            return None;
        }
        if rest.is_empty() {
            return Some(with_slash(request.uri()));
        }
        let mut inner = Request::new(());
        *inner.method_mut() = request.method().clone();
        *inner.headers_mut() = request.headers().clone();
        *inner.uri_mut() = rest.parse().ok()?;
        let mut response = match folder.clone().try_call(inner).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => return None,
            Ok(response) => response,
            Err(error) if is_missing(error.kind()) => return None,
            Err(error) => {
                tracing::warn!(path = rest, %error, "a static file could not be read");
                let mut response = Response::new(ServeFileSystemResponseBody::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
}

fn is_missing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Sends the client from `/docs` to `/docs/`, from where the page's relative links lead to the right place.
fn with_slash(uri: &Uri) -> Response<ServeFileSystemResponseBody> {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut response = Response::new(ServeFileSystemResponseBody::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::try_from(format!("{}/{query}", uri.path())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Whether a segment of an encoded path starts with a dot: `.git`, `.env`, `..`, also written `%2e`.
fn is_hidden(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
    path.split(['/', '\\']).any(|segment| segment.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use axum::body::{Body, to_bytes};
    use http::HeaderMap;

    use super::*;

    /// A folder with a page, a script, a hidden file and a folder in it, and a secret beside it.
    fn site() -> (tempfile::TempDir, StaticFiles) {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let public = folder.path().join("public");
        for (path, text) in [
            ("public/index.html", "<p>home"),
            ("public/app.js", "run()"),
            ("public/a b.txt", "spaced"),
            ("public/.env", "secret"),
            ("public/.git/config", "secret"),
            ("public/deep/index.html", "<p>deep"),
            ("secret", "secret"),
        ] {
            let path = folder.path().join(path);
            let parent = path.parent().expect("it lies in the folder");
            fs::create_dir_all(parent).expect("the folder can be made");
            fs::write(path, text).expect("the file can be written");
        }
        let at = |path: &str| Pathname::new(path).expect("it is valid");
        let folders = [(at("/"), public.clone()), (at("/docs"), public.join("deep"))];
        let files = StaticFiles::new(&folders.into());
        (folder, files)
    }

    async fn get(
        files: &StaticFiles,
        path: &str,
        headers: &[(header::HeaderName, &HeaderValue)],
    ) -> Option<(StatusCode, HeaderMap, String)> {
        let mut request = Request::get(path).body(()).expect("it is a request");
        for (name, value) in headers {
            request.headers_mut().insert(name, (*value).clone());
        }
        let (parts, body) = files.respond(&request).await?.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.expect("the file can be read");
        let text = String::from_utf8(body.to_vec()).expect("it is text");
        Some((parts.status, parts.headers, text))
    }

    async fn text(files: &StaticFiles, path: &str) -> Option<String> {
        get(files, path, &[]).await.filter(|(status, ..)| *status == StatusCode::OK).map(|(_, _, text)| text)
    }

    #[tokio::test]
    async fn files_and_indexes_are_served_with_their_types() {
        let (_folder, files) = site();
        let (status, headers, body) = get(&files, "/app.js", &[]).await.expect("it is there");
        assert_eq!((status, body.as_str()), (StatusCode::OK, "run()"));
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(text(&files, "/").await.as_deref(), Some("<p>home"));
        assert_eq!(text(&files, "/a%20b.txt?v=1").await.as_deref(), Some("spaced"));
    }

    #[tokio::test]
    async fn the_most_special_folder_answers() {
        let (_folder, files) = site();
        assert_eq!(text(&files, "/docs/").await.as_deref(), Some("<p>deep"));
        assert_eq!(text(&files, "/docsify").await, None);
    }

    #[tokio::test]
    async fn a_folder_without_its_slash_is_redirected_to_it() {
        let (_folder, files) = site();
        for (path, location) in [("/docs?a=1", "/docs/?a=1"), ("/deep", "/deep/")] {
            let (status, headers, _) = get(&files, path, &[]).await.expect("it is there");
            assert!(status.is_redirection(), "{status}");
            assert_eq!(headers[header::LOCATION], location);
        }
    }

    #[tokio::test]
    async fn a_file_that_did_not_change_is_not_sent_again() {
        let (_folder, files) = site();
        let (_, headers, _) = get(&files, "/app.js", &[]).await.expect("it is there");
        for (name, value) in
            [(header::IF_NONE_MATCH, &headers[header::ETAG]), (header::IF_MODIFIED_SINCE, &headers[header::LAST_MODIFIED])]
        {
            let (status, _, body) = get(&files, "/app.js", &[(name, value)]).await.expect("it is there");
            assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        }
    }

    #[tokio::test]
    async fn nothing_hidden_and_nothing_outside_is_served() {
        let (_folder, files) = site();
        for path in [
            "/.env",
            "/%2eenv",
            "/%2Eenv",
            "/.git/config",
            "/../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/deep/..%2f..%2fsecret",
            "/deep/..%5c..%5csecret",
            "//../secret",
            "/docs/../.env",
        ] {
            assert_eq!(text(&files, path).await, None, "{path}");
        }
    }

    #[tokio::test]
    async fn a_missing_file_and_a_request_that_writes_are_not_ours() {
        let (_folder, files) = site();
        assert!(get(&files, "/none.txt", &[]).await.is_none());
        assert!(get(&files, "/app.js/more", &[]).await.is_none());
        let post = Request::post("/app.js").body(()).expect("it is a request");
        assert!(files.respond(&post).await.is_none());
    }
}
