// Panics, and aborts then.
#[inline(never)]
fn element(list: &[i32], index: usize) -> i32 {
    list[index]
}

fn main() {
    let list = vec![1, 2, 3];
    println!("{}", element(&list, list.len() + std::env::args().count()));
}
