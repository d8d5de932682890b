//! All that is measured over a store of one size.

use std::path::Path;
use std::time::{Duration, Instant};

use hallmark::oci::Digest;

use crate::Outcome;
use crate::client::{Caller, Connection, Request};
use crate::cores::Cores;
use crate::image::{Image, Key};
use crate::load::{self, Cost, Timed};
use crate::processor::{Sample, resident};
use crate::push::push_image;
use crate::server::{self, Server};
use crate::shape::{self, CONFIG, LARGEST, LAYER, RARE, REFERRED, Shape, TAGS_OF_ONE};

/// How often the server is started.
const STARTS: usize = 7;
/// How long it is watched while nobody asks: longer than it rests between two looks at what waits.
const IDLE: Duration = Duration::from_secs(40);

const FEW: u64 = 10;
const SOME: u64 = 100;
const MANY: u64 = 2_000;

/// What was found at one size.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) shape: Shape,
    /// Of the database, in bytes.
    pub(crate) stored: u64,
    /// From the start of the process, which was killed before, to the first answer and to the first manifest.
    pub(crate) start: [Duration; 2],
    /// Resident memory after the start, and after all loads, in bytes.
    pub(crate) memory: [u64; 2],
    /// Processor time that a second costs in which nobody asks.
    pub(crate) idle: Duration,
    /// One sweep that finds nothing.
    pub(crate) sweep: Duration,
    pub(crate) costs: Vec<(&'static str, Cost)>,
}

/// Measures everything.
pub(crate) async fn all(folder: &Path, shape: Shape, sweep: Duration, cores: &Cores) -> Outcome<Column> {
    let key = Key::new()?;
    let authorization = server::write_files(folder, &key)?;
    let (mut answers, mut manifests) = (Vec::new(), Vec::new());
    let mut server = Server::start(folder, &authorization, cores).await?;
    for _ in 0..STARTS {
        drop(server);
        server = Server::start(folder, &authorization, cores).await?;
        answers.push(server.first_answer);
        manifests.push(server.first_manifest);
    }
    let before = resident(server.pid())?;
    let idle = idle(server.pid()).await?;
    let caller = Caller { address: server.address, authorization: Some(authorization) };
    let mut bench = Bench { shape, key, pid: server.pid(), caller, costs: Vec::new() };
    bench.pulls().await?;
    bench.pages().await?;
    bench.pushes().await?;
    bench.gated().await?;
    let after = resident(server.pid())?;
    Ok(Column {
        shape,
        stored: std::fs::metadata(folder.join("data/_metadata.sqlite"))?.len(),
        start: [median(answers)?, median(manifests)?],
        memory: [before, after],
        idle,
        sweep,
        costs: bench.costs,
    })
}

async fn idle(pid: u32) -> Outcome<Duration> {
    let before = Sample::take(pid)?;
    tokio::time::sleep(IDLE).await;
    Ok(Sample::take(pid)?.since(&before) / u32::try_from(IDLE.as_secs())?)
}

fn median(mut figures: Vec<Duration>) -> Outcome<Duration> {
    figures.sort_unstable();
    Ok(*figures.get(figures.len() / 2).ok_or("expected figures, found none")?)
}

struct Bench {
    shape: Shape,
    key: Key,
    pid: u32,
    caller: Caller,
    costs: Vec<(&'static str, Cost)>,
}

impl Bench {
    async fn run(&mut self, name: &'static str, requests: &[Request], status: u16) -> Outcome<()> {
        // A fresh one: the server closes those that stood still during other loads.
        let mut connection = Connection::open(self.caller.address).await?;
        let cost = load::run(self.pid, &mut connection, requests, status).await?;
        self.costs.push((name, cost));
        Ok(())
    }

    fn get(&self, path: &str) -> Request {
        self.caller.request("GET", path, &[])
    }

    async fn pulls(&mut self) -> Outcome<()> {
        let distinct = self.shape.repositories.saturating_mul(TAGS_OF_ONE / 2).min(MANY);
        let mut by_tag = Vec::new();
        let mut by_digest = Vec::new();
        for number in 0..distinct {
            // Spread over all repositories, and over halves of their tags that never meet.
            let name = shape::repository(number * self.shape.repositories / distinct);
            let tag = number % (TAGS_OF_ONE / 2) * 2;
            by_tag.push(self.get(&format!("/v2/{name}/manifests/{}", shape::tag(tag))));
            let digest = Digest::sha256(&shape::image(&name, tag + 1));
            by_digest.push(self.get(&format!("/v2/{name}/manifests/{digest}")));
        }
        self.run("manifest GET by tag, first", &by_tag, 200).await?;
        self.run("manifest GET by digest, first", &by_digest, 200).await?;
        let again = |request: &Request| (0..MANY).map(|_| request.clone()).collect::<Vec<_>>();
        let last = self.shape.largest - 1;
        let by_tag = self.get(&format!("/v2/{LARGEST}/manifests/{}", shape::tag(last)));
        let digest = Digest::sha256(&shape::image(LARGEST, last));
        let by_digest = self.get(&format!("/v2/{LARGEST}/manifests/{digest}"));
        let blob = format!("/v2/{LARGEST}/blobs/{}", Digest::sha256(LAYER));
        let blob = self.caller.request("HEAD", &blob, &[]);
        self.run("manifest GET by tag, again", &again(&by_tag), 200).await?;
        self.run("manifest GET by digest, again", &again(&by_digest), 200).await?;
        self.run("blob HEAD, held by all of the largest", &again(&blob), 200).await
    }

    async fn pages(&mut self) -> Outcome<()> {
        let largest = self.shape.largest;
        for (name, after) in [
            ("100 tags of the largest, first", 0),
            ("100 tags of the largest, middle", largest / 2),
            ("100 tags of the largest, last", largest.saturating_sub(101)),
        ] {
            let page = self.get(&format!("/v2/{LARGEST}/tags/list?n=100&last={}", shape::tag(after)));
            self.run(name, &vec![page; usize::try_from(SOME)?], 200).await?;
        }
        let after = shape::repository(self.shape.repositories / 2);
        let page = self.get(&format!("/v2/_catalog?n=100&last={after}"));
        self.run("100 of the catalog", &vec![page; usize::try_from(SOME)?], 200).await?;
        let referrers = format!("/v2/{REFERRED}/referrers/{}", Digest::sha256(&shape::image(REFERRED, 0)));
        let whole = self.get(&referrers);
        self.run("all referrers of the subject", &vec![whole; usize::try_from(FEW)?], 200).await?;
        let rare = self.get(&format!("{referrers}?artifactType={}", RARE.replace('+', "%2B")));
        self.run("its referrers of a rare type", &vec![rare; usize::try_from(SOME)?], 200).await
    }

    async fn pushes(&mut self) -> Outcome<()> {
        let small = shape::repository(0);
        let in_small = self.push("image push, small repository", &small, SOME).await?;
        let in_largest = self.push("image push, largest repository", LARGEST, SOME).await?;
        let delete = |(repository, tag): (&str, &String)| {
            self.caller.request("DELETE", &format!("/v2/{repository}/manifests/{tag}"), &[])
        };
        let small_tags: Vec<_> = in_small.iter().map(|tag| delete((&small, tag))).collect();
        let largest_tags: Vec<_> = in_largest.iter().map(|tag| delete((LARGEST, tag))).collect();
        self.run("tag DELETE, small repository", &small_tags, 202).await?;
        self.run("tag DELETE, largest repository", &largest_tags, 202).await?;
        self.flush("layout flush, small repository", &small).await?;
        self.flush("layout flush, largest repository", LARGEST).await
    }

    /// Pushes images of a fresh layer each; gives their tags.
    async fn push(&mut self, name: &'static str, repository: &str, count: u64) -> Outcome<Vec<String>> {
        let mut timed = Timed::begin(self.pid)?;
        let mut tags = Vec::new();
        for _ in 0..count {
            let image = fresh_image();
            let start = Instant::now();
            push_image(&self.caller, repository, &image).await?;
            timed.note(start);
            tags.push(image.tag);
        }
        self.costs.push((name, timed.end().await?));
        Ok(tags)
    }

    async fn flush(&mut self, name: &'static str, repository: &str) -> Outcome<()> {
        let flush = self.caller.request("POST", "/_hallmark/flush", &[("Content-Length", "0")]);
        let mut connection = Connection::open(self.caller.address).await?;
        connection.exchange(&flush, &[]).await?.expect(204)?;
        let mut timed = Timed::begin(self.pid)?;
        for _ in 0..FEW / 2 {
            push_image(&self.caller, repository, &fresh_image()).await?;
            let start = Instant::now();
            connection.exchange(&flush, &[]).await?.expect(204)?;
            timed.note(start);
        }
        self.costs.push((name, timed.end().await?));
        Ok(())
    }

    /// As someone who may pull only what is signed, where one image of many is.
    async fn gated(&mut self) -> Outcome<()> {
        let image = fresh_image();
        push_image(&self.caller, LARGEST, &image).await?;
        push_image(&self.caller, LARGEST, &self.key.sign(&image, LARGEST)?).await?;
        let owner = self.caller.authorization.take();
        let tag = self.get(&format!("/v2/{LARGEST}/manifests/{}", image.tag));
        self.run("gated: manifest GET by tag, signed", &vec![tag; usize::try_from(MANY)?], 200).await?;
        let unsigned = (0..SOME).map(|number| self.get(&format!("/v2/{LARGEST}/manifests/{}", shape::tag(number))));
        let unsigned: Vec<_> = unsigned.collect();
        self.run("gated: manifest GET by tag, unsigned", &unsigned, 403).await?;
        let blob = format!("/v2/{LARGEST}/blobs/{}", image.layer(FRESH)?);
        let blob = self.caller.request("HEAD", &blob, &[]);
        self.run("gated: blob HEAD", &vec![blob; usize::try_from(MANY)?], 200).await?;
        let shared = format!("/v2/{LARGEST}/blobs/{}", Digest::sha256(LAYER));
        let shared = self.caller.request("HEAD", &shared, &[]);
        self.run("gated: blob HEAD, held by all of the largest", &vec![shared; usize::try_from(FEW)?], 404).await?;
        let page = self.get(&format!("/v2/{LARGEST}/tags/list?n=100"));
        self.run("gated: the one visible tag of the largest", &[page], 200).await?;
        self.caller.authorization = owner;
        Ok(())
    }
}

/// The size of a fresh layer, in bytes.
const FRESH: usize = 1024;

/// An image that nothing else equals, under a tag that nothing else has.
fn fresh_image() -> Image {
    let own = uuid::Uuid::new_v4();
    let layer: Vec<u8> = own.into_bytes().into_iter().cycle().take(FRESH).collect();
    let manifest = shape::manifest(CONFIG, &layer, &own.to_string());
    Image { tag: format!("push-{own}"), manifest, blobs: vec![CONFIG.to_vec(), layer] }
}
