//! What each request costs as the store grows: the same server over 10³, 10⁴, 10⁵ and 10⁶ manifests.
//!
//! `cargo bench --bench scale [-- --quick]`; what is measured and how: `benches/README.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]
#![expect(clippy::disallowed_methods, reason = "writes the server's folders and the report")]

#[path = "../side_by_side/client.rs"]
#[expect(dead_code, reason = "another benchmark's, of which this uses a part")]
mod client;
#[path = "../side_by_side/cores.rs"]
mod cores;
#[path = "../side_by_side/hex.rs"]
mod hex;
#[path = "../side_by_side/image.rs"]
#[expect(dead_code, reason = "another benchmark's, of which this uses a part")]
mod image;
mod load;
mod measure;
mod plot;
#[path = "../side_by_side/processor.rs"]
#[expect(dead_code, reason = "the other benchmark asks for the most memory that was ever resident")]
mod processor;
#[path = "../side_by_side/push.rs"]
#[expect(dead_code, reason = "another benchmark's, of which this uses a part")]
mod push;
mod report;
mod root;
mod server;
mod shape;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cores::Cores;
use measure::Column;
use shape::Shape;

/// What a step gives, or why it could not.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many manifests the stores hold.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let says = |word: &str| arguments.iter().any(|argument| argument == word);
    if !says("--bench") {
        // Cargo may run this among the tests too.
        println!("a benchmark, no test: cargo bench --bench scale [-- --quick]");
        return ExitCode::SUCCESS;
    }
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(says("--quick"))));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(quick: bool) -> Outcome<()> {
    let cores = Cores::divide()?;
    let folder = tempfile::Builder::new().prefix("scale-").tempdir_in(data_folder())?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut columns: Vec<Column> = Vec::new();
    let mut grown = Shape::of(0);
    for size in SIZES.into_iter().take(if quick { 2 } else { SIZES.len() }) {
        let shape = Shape::of(size);
        eprintln!("{size} manifests");
        let swept = root::grow(folder.path(), grown, shape).await?;
        grown = shape;
        columns.push(measure::all(folder.path(), shape, swept, &cores).await?);
        if !quick {
            std::fs::write(docs.join("scale.md"), report::page(&columns, &cores)?)?;
            std::fs::write(docs.join("scale.svg"), plot::draw(&columns))?;
        }
    }
    println!("{}", report::table(&columns));
    if quick {
        println!("QUICK: docs/ is left as it is");
    }
    Ok(())
}

/// The folder for all data: on a disk, so that `fsync` means something.
fn data_folder() -> PathBuf {
    std::env::var_os("HALLMARK_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}
