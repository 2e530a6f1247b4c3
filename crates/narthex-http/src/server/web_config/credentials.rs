//! Who is let in: users with passwords, and bearers of tokens.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use http::HeaderValue;
use http::header::GetAll;
use ring::hmac;
use ring::rand::SystemRandom;
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::Semaphore;

use super::error::{Place, WebConfigError};
use super::files::Files;

/// Passwords that are being checked or wait for it; each holds a request and no more.
const MOST_WAITING: usize = 64;

/// Users and tokens; without either there is no need for this.
pub(super) struct Credentials {
    desk: Arc<Desk>,
    tokens: Vec<Tag>,
    /// For passwords that are being checked now.
    workers: Arc<Semaphore>,
    /// For those, and the ones that wait.
    places: Arc<Semaphore>,
}

/// What checking a password takes.
struct Desk {
    users: HashMap<Vec<u8>, User>,
    /// The cost of every refusal.
    cost: u32,
    /// Digests under it mean nothing to anybody else.
    key: hmac::Key,
}

/// A user with a bcrypt hash.
struct User {
    hash: BcryptHash,
    /// The digest of the password, once it was seen to be right. Nothing else is remembered, so
    /// that wrong passwords take no memory and displace nobody.
    proven: Mutex<Option<Tag>>,
}

/// A bcrypt hash that can be checked against.
#[derive(Clone)]
pub(super) struct BcryptHash {
    text: String,
    cost: u32,
}

type Tag = [u8; 32];

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    Refused(&'static str),
    /// Too many passwords wait to be checked.
    Busy,
}

impl BcryptHash {
    /// A hash of cost 18 takes several seconds; beyond that no scraper would wait for its answer.
    const HIGHEST_COST: u32 = 18;

    pub(super) fn parse(text: String) -> Result<Self, String> {
        let parts: HashParts =
            text.parse().map_err(|_| "the password is not a bcrypt hash".to_owned())?;
        let cost = parts.get_cost();
        if !(4..=Self::HIGHEST_COST).contains(&cost) {
            let highest = Self::HIGHEST_COST;
            return Err(format!("the bcrypt hash has cost {cost}, not one from 4 to {highest}"));
        }
        Ok(Self { text, cost })
    }
}

impl Credentials {
    pub(super) fn new(users: Vec<(String, BcryptHash)>, tokens: Vec<String>) -> Option<Self> {
        if users.is_empty() && tokens.is_empty() {
            return None;
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .expect("the system has random numbers");
        let cost = users.iter().map(|(_, hash)| hash.cost).max().unwrap_or(4);
        let tokens = tokens.iter().map(|token| tag(&key, token.as_bytes())).collect();
        let user = |(name, hash): (String, BcryptHash)| {
            (name.into_bytes(), User { hash, proven: Mutex::default() })
        };
        let users = users.into_iter().map(user).collect();
        // Half of the cores, for the other half has scrapes to answer.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Some(Self {
            desk: Arc::new(Desk { users, cost, key }),
            tokens,
            workers: Arc::new(Semaphore::new((cores / 2).max(1))),
            places: Arc::new(Semaphore::new(MOST_WAITING)),
        })
    }

    /// What to tell a client of how it may come in.
    pub(super) fn challenges(&self) -> impl Iterator<Item = &'static str> {
        let basic = (!self.desk.users.is_empty()).then_some("Basic realm=\"metrics\"");
        let bearer = (!self.tokens.is_empty()).then_some("Bearer realm=\"metrics\"");
        basic.into_iter().chain(bearer)
    }

    /// # Cancel safety
    /// A check that has begun goes on without the request, in its place until it is done.
    pub(super) async fn check(&self, headers: GetAll<'_, HeaderValue>) -> Verdict {
        let mut headers = headers.iter();
        let Some(header) = headers.next() else {
            return Verdict::Refused("credentials are missing\n");
        };
        if headers.next().is_some() {
            return Verdict::Refused("there are several Authorization headers\n");
        }
        let Some((scheme, rest)) = header.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return Verdict::Refused("the Authorization header cannot be read\n");
        };
        let rest = rest.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("basic") && !self.desk.users.is_empty() {
            match basic(rest) {
                Some((user, password)) => self.check_password(user, password).await,
                None => Verdict::Refused("the Authorization header cannot be read\n"),
            }
        } else if scheme.eq_ignore_ascii_case("bearer") && !self.tokens.is_empty() {
            self.check_token(rest)
        } else {
            Verdict::Refused("there are no credentials of this kind\n")
        }
    }

    fn check_token(&self, token: &str) -> Verdict {
        let found = tag(&self.desk.key, token.as_bytes());
        // All of them are looked at, so that the time does not tell which one was near.
        let is_one = |is_one: Choice, tag: &Tag| is_one | tag.ct_eq(&found);
        let is_one = self.tokens.iter().fold(Choice::from(0), is_one);
        match bool::from(is_one) {
            true => Verdict::Granted,
            false => Verdict::Refused("the token is wrong\n"),
        }
    }

    async fn check_password(&self, user: Vec<u8>, password: Vec<u8>) -> Verdict {
        if self.desk.is_proven(&user, &password) {
            return Verdict::Granted;
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else { return Verdict::Busy };
        let Ok(worker) = self.workers.clone().acquire_owned().await else { return Verdict::Busy };
        let desk = self.desk.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let is_right = desk.is_right(&user, &password);
            drop((worker, place));
            is_right
        });
        match checked.await {
            Ok(true) => Verdict::Granted,
            // A panic lets nobody in either.
            Ok(false) | Err(_) => Verdict::Refused("the user or the password is wrong\n"),
        }
    }
}

impl Desk {
    /// Whether these have been right before; costs next to nothing.
    fn is_proven(&self, user: &[u8], password: &[u8]) -> bool {
        let Some(user) = self.users.get(user) else { return false };
        let found = tag(&self.key, password);
        let proven = user.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.is_some_and(|proven| proven.ct_eq(&found).into())
    }

    /// Whether these are right; a refusal costs the same whoever is asked for.
    fn is_right(&self, name: &[u8], password: &[u8]) -> bool {
        // Somebody may have asked the same while this one waited.
        if self.is_proven(name, password) {
            return true;
        }
        let user = self.users.get(name);
        if let Some(user) = user
            && bcrypt::verify(password, &user.hash.text).unwrap_or(false)
        {
            let proven = tag(&self.key, password);
            *user.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some(proven);
            return true;
        }
        // The time of a hash doubles with its cost, so that what a hash of cost c lacks to one of
        // cost n is one hash of each cost from c to n - 1. For no user at all that is one of cost n.
        let missing = match user {
            Some(user) => user.hash.cost..self.cost,
            None => self.cost..self.cost + 1,
        };
        for cost in missing {
            std::hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16]).is_ok());
        }
        false
    }
}

fn tag(key: &hmac::Key, secret: &[u8]) -> Tag {
    let tag = hmac::sign(key, secret);
    tag.as_ref().try_into().expect("a SHA-256 tag has 32 bytes")
}

/// User and password (RFC 7617, section 2): a user has no colon, a password may.
fn basic(encoded: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut user = STANDARD.decode(encoded).ok()?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    let password = user.split_off(colon + 1);
    user.pop();
    Some((user, password))
}

/// Reads the tokens of a file, one a line.
pub(super) fn read_tokens(path: &Path, files: &mut Files) -> Result<Vec<String>, WebConfigError> {
    let content = files.read_secret(path)?;
    let mut tokens = Vec::new();
    for (line, text) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        let token = text.trim_ascii();
        if token.is_empty() || token.starts_with(b"#") {
            continue;
        }
        // RFC 6750, section 2.1.
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        match std::str::from_utf8(token).ok().filter(|token| token.bytes().all(|b| is_plain(&b))) {
            Some(token) => tokens.push(token.to_owned()),
            None => {
                let place = Some(Place { line, column: None });
                let message = "a token has ASCII letters, digits and `-._~+/=` alone";
                return Err(WebConfigError::at(path, place, message));
            }
        }
    }
    match tokens.is_empty() {
        true => Err(WebConfigError::of(path, "it holds no token")),
        false => Ok(tokens),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BcryptHash, Credentials, basic, tag};

    fn credentials(users: &[(&str, u32)]) -> Credentials {
        let user = |(name, cost): &(&str, u32)| {
            let hash = BcryptHash::parse(bcrypt::hash("right", *cost).unwrap()).unwrap();
            ((*name).to_owned(), hash)
        };
        Credentials::new(users.iter().map(user).collect(), Vec::new()).unwrap()
    }

    #[test]
    fn every_refusal_costs_what_the_dearest_hash_does() {
        let credentials = credentials(&[("low", 4), ("high", 6)]);
        assert_eq!(credentials.desk.cost, 6);
        for name in ["low", "high", "nobody"] {
            assert!(!credentials.desk.is_right(name.as_bytes(), b"wrong"), "{name}");
        }
        assert!(credentials.desk.is_right(b"low", b"right"));
    }

    #[test]
    fn only_right_passwords_are_remembered() {
        let credentials = credentials(&[("alice", 4)]);
        let desk = &credentials.desk;
        for guess in 0..50 {
            assert!(!desk.is_right(b"alice", format!("guess{guess}").as_bytes()));
        }
        assert!(desk.users[&b"alice"[..]].proven.lock().unwrap().is_none());
        assert!(!desk.is_proven(b"alice", b"right"));
        assert!(desk.is_right(b"alice", b"right"));
        assert!(desk.is_proven(b"alice", b"right"));
        for guess in 0..50 {
            assert!(!desk.is_right(b"alice", format!("guess{guess}").as_bytes()));
        }
        assert!(desk.is_proven(b"alice", b"right"), "wrong ones displace nobody");
        assert!(!desk.is_proven(b"bob", b"right"));
    }

    /// G8: what is remembered of one pair is never taken for another (CVE-2022-46146).
    #[test]
    fn g08_remembered_passwords_are_told_apart() {
        let credentials = credentials(&[("alice", 4)]);
        let mut seen = HashSet::new();
        for number in 0..100_000_u32 {
            assert!(seen.insert(tag(&credentials.desk.key, format!("{number:x}").as_bytes())));
        }
        println!("G8 passwords of 100000 whose digests are those of others: 0 (limit 0) PASS");
    }

    #[test]
    fn a_password_may_hold_colons_and_a_name_may_not() {
        for (encoded, expected) in [
            ("YTpi", Some(("a", "b"))),
            ("YTpiOmM=", Some(("a", "b:c"))),
            ("Og==", Some(("", ""))),
            ("YTo=", Some(("a", ""))),
            ("YQ==", None),
            ("", None),
            ("YTpi!", None),
            ("YTpi\n", None),
        ] {
            let expected = expected.map(|(user, password)| (user.into(), password.into()));
            assert_eq!(basic(encoded), expected, "{encoded:?}");
        }
    }
}
