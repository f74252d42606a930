// SPDX-License-Identifier: Apache-2.0
// The structs of fastrnn.h in Rust, and a loop over the functions that they name.
use std::os::raw::{c_int, c_void};
use std::ptr::null;

#[repr(C)]
pub struct Functions {
    version: i32,
    size: i32,
    stream_new: *const c_void,
    stream_close: extern "C" fn(*mut Stream) -> c_int,
    step: extern "C" fn(*mut Stream, i64, *const i32, *const c_void, *mut c_void) -> c_int,
}

#[repr(C)]
pub struct Stream {
    functions: *const Functions,
    owner: *mut c_void,
}

/// `count` time steps of one row: x (count, width), y (count, outputs).
///
/// # Safety
/// The stream is open, and the arrays are as long as they are said to be.
#[no_mangle]
pub unsafe extern "C" fn rust_steps(
    stream: *mut Stream,
    count: i64,
    width: i64,
    outputs: i64,
    x: *const f32,
    y: *mut f32,
) -> c_int {
    let step = (*(*stream).functions).step;
    for t in 0..count as isize {
        let (from, to) = (x.offset(t * width as isize), y.offset(t * outputs as isize));
        let code = step(stream, 1, null(), from as *const c_void, to as *mut c_void);
        if code != 0 {
            return code;
        }
    }
    0
}
