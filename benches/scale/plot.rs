//! The plot: processor time of one request against the number of manifests, both in powers of ten.

use std::fmt::Write;

use crate::measure::Column;

/// What is drawn, of all that is measured.
const DRAWN: [&str; 9] = [
    "manifest GET by tag, first",
    "manifest GET by digest, again",
    "100 tags of the largest, middle",
    "100 of the catalog",
    "all referrers of the subject",
    "its referrers of a rare type",
    "image push, largest repository",
    "tag DELETE, largest repository",
    "layout flush, largest repository",
];
const COLOURS: [&str; 9] =
    ["#1b6ca8", "#38a3a5", "#d1495b", "#edae49", "#8d6a9f", "#5c946e", "#000000", "#7a7a7a", "#c77dff"];

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 300.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;

/// Powers of ten on the axes: of manifests, and of microseconds.
const ACROSS: (i32, i32) = (3, 6);
const UP: (i32, i32) = (0, 6);

/// The plot as SVG.
pub(crate) fn draw(columns: &[Column]) -> String {
    let mut body = String::new();
    for power in ACROSS.0..=ACROSS.1 {
        let x = x(10_f64.powi(power));
        line(&mut body, (x, TOP), (x, HEIGHT - BOTTOM));
        text(&mut body, (x, HEIGHT - BOTTOM + 20.0), "middle", "#333", &format!("10^{power}"));
    }
    for power in UP.0..=UP.1 {
        let y = y(10_f64.powi(power));
        line(&mut body, (LEFT, y), (WIDTH - RIGHT, y));
        text(&mut body, (LEFT - 8.0, y + 4.0), "end", "#333", &format!("10^{power}"));
    }
    text(&mut body, (LEFT, HEIGHT - 8.0), "start", "#333", "manifests");
    text(&mut body, (8.0, 18.0), "start", "#333", "processor time of one request, µs");
    for (at, (name, colour)) in DRAWN.into_iter().zip(COLOURS).enumerate() {
        curve(&mut body, columns, name, colour);
        let height = 20.0 * f64::from(u32::try_from(at).unwrap_or_default());
        text(&mut body, (WIDTH - RIGHT + 20.0, TOP + 10.0 + height), "start", colour, name);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn curve(body: &mut String, columns: &[Column], name: &str, colour: &str) {
    let point = |column: &Column| {
        let (_, cost) = column.costs.iter().find(|(found, _)| *found == name)?;
        let manifests = f64::from(u32::try_from(column.shape.manifests).ok()?);
        Some(format!("{:.1},{:.1}", x(manifests), y(cost.processor.as_secs_f64() * 1e6)))
    };
    let points: Vec<String> = columns.iter().filter_map(point).collect();
    push(
        body,
        format_args!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        ),
    );
}

fn line(body: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    push(body, format_args!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>"));
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, words: &str) {
    push(
        body,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"),
    );
}

fn push(body: &mut String, element: std::fmt::Arguments<'_>) {
    // A `String` takes every write.
    let _always = writeln!(body, "{element}");
}

fn x(manifests: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * share(manifests, ACROSS)
}

fn y(microseconds: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share(microseconds.max(1.0), UP)
}

fn share(value: f64, (from, to): (i32, i32)) -> f64 {
    (value.log10() - f64::from(from)) / f64::from(to - from)
}
