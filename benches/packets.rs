//! The codec of packets alone: text to arguments, arguments to text, with and without attachments.
//!
//! ```text
//! 42["chat","hello there, how are you?"]      451-["chat",{"_placeholder":true,"num":0}] 82 ..
//! ```

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use throng::BinarySlice;
use throng::internals::{decode_event, encode};

fn decode_text(criterion: &mut Criterion) {
    let short = r#"2["chat","hello there, how are you?"]"#;
    let with_object = r#"2/game,17["move",{"x":12.5,"y":-3,"player":"anna","keys":["up","left"]}]"#;
    criterion.bench_function("decode an event", |bencher| {
        bencher.iter(|| decode_event(black_box(short), &[]));
    });
    criterion.bench_function("decode an event with an object", |bencher| {
        bencher.iter(|| decode_event(black_box(with_object), &[]));
    });
}

fn decode_binary(criterion: &mut Criterion) {
    let text = r#"51-["upload",{"_placeholder":true,"num":0}]"#;
    let attachment = [7; 1_024];
    criterion.bench_function("decode an event with 1 KiB of bytes", |bencher| {
        bencher.iter(|| decode_event(black_box(text), &[&attachment]));
    });
}

fn encode_events(criterion: &mut Criterion) {
    criterion.bench_function("encode an event", |bencher| {
        bencher.iter(|| encode(black_box("chat"), black_box("hello there, how are you?")));
    });
    let attachment = [7; 1_024];
    criterion.bench_function("encode an event with 1 KiB of bytes", |bencher| {
        bencher.iter(|| encode(black_box("upload"), &BinarySlice(black_box(&attachment))));
    });
}

criterion_group!(packets, decode_text, decode_binary, encode_events);
criterion_main!(packets);
