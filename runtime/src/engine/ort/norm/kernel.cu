// Instance normalisation and leaky ReLU in two passes over a tensor of `items` images with `channels`
// channels of `size` elements each.
//
//   sums_*    each block's share of every channel's sum and sum of squares, into `partial`
//   statistics_*  the mean of every channel and what a difference to it is multiplied by
//   apply_*   the tensor, normalised
//
// *_planes: channels first, (item, channel, element); *_rows: channels last, (item, element, channel).
//
// Sums are of differences to the channel's first element, f32 in a block and f64 over blocks: no
// digits are lost where a mean is far from zero. f16 and bf16 are read and written as such, and
// computed with as f32.
//
// kernel.ptx is made from this file by kernel.py, and has to be made again after every change. How
// many blocks are launched is decided in launch.rs.

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short half_bits;
struct bfloat_bits { unsigned short bits; };

#define THREADS 256

__device__ inline float load(float x) { return x; }
__device__ inline float load(half_bits x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}
__device__ inline float load(bfloat_bits x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ inline void store(float x, float *y) { *y = x; }
__device__ inline void store(float x, half_bits *y) {
    half_bits bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    *y = bits;
}
__device__ inline void store(float x, bfloat_bits *y) {
    unsigned bits = __float_as_uint(x);
    // To the nearest, ties to even; what is not a number stays none.
    unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
    y->bits = x != x ? 0x7fff : rounded;
}

// Elements that are read and written together: 16 bytes of them where the extents allow it, else one.
template <typename T, int LENGTH> struct __align__(LENGTH * sizeof(T)) Vector { T at[LENGTH]; };
#define WIDE(T) (16 / (int)sizeof(T))

__device__ inline float activated(float x, float mean, float factor, float bias, float alpha) {
    float y = (x - mean) * factor + bias;
    return y >= 0 ? y : alpha * y;
}

// ---- channels first: blockIdx.y is the plane, of one channel in one item

template <typename T, int LENGTH>
__device__ void add_plane(const T *plane, u64 size, float &sum, float &squares) {
    float first = load(plane[0]);
    for (u64 i = (u64)blockIdx.x * THREADS + threadIdx.x; i < size / LENGTH;
         i += (u64)gridDim.x * THREADS) {
        Vector<T, LENGTH> vector = ((const Vector<T, LENGTH> *)plane)[i];
#pragma unroll
        for (int k = 0; k < LENGTH; k++) {
            float x = load(vector.at[k]) - first;
            sum += x;
            squares += x * x;
        }
    }
}

template <typename T> __device__ void sums_planes(const T *input, float2 *partial, u64 size) {
    __shared__ float2 warps[THREADS / 32];
    const T *plane = input + size * blockIdx.y;
    float sum = 0, squares = 0;
    if (size % WIDE(T) == 0)
        add_plane<T, WIDE(T)>(plane, size, sum, squares);
    else
        add_plane<T, 1>(plane, size, sum, squares);
    for (int step = 16; step > 0; step /= 2) {
        sum += __shfl_down_sync(~0u, sum, step);
        squares += __shfl_down_sync(~0u, squares, step);
    }
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = make_float2(sum, squares);
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int warp = 1; warp < THREADS / 32; warp++) {
            sum += warps[warp].x;
            squares += warps[warp].y;
        }
        partial[(u64)blockIdx.y * gridDim.x + blockIdx.x] = make_float2(sum, squares);
    }
}

template <typename T, int LENGTH>
__device__ void apply_plane(const T *plane, T *result, u64 size, float2 statistics, float bias,
                            float alpha) {
    for (u64 i = (u64)blockIdx.x * THREADS + threadIdx.x; i < size / LENGTH;
         i += (u64)gridDim.x * THREADS) {
        Vector<T, LENGTH> vector = ((const Vector<T, LENGTH> *)plane)[i];
#pragma unroll
        for (int k = 0; k < LENGTH; k++)
            store(activated(load(vector.at[k]), statistics.x, statistics.y, bias, alpha),
                  &vector.at[k]);
        ((Vector<T, LENGTH> *)result)[i] = vector;
    }
}

template <typename T>
__device__ void apply_planes(const T *input, T *output, const float2 *statistics, const float *bias,
                             u64 size, u32 channels, float alpha) {
    const T *plane = input + size * blockIdx.y;
    T *result = output + size * blockIdx.y;
    float2 own = statistics[blockIdx.y];
    float shift = bias[blockIdx.y % channels];
    if (size % WIDE(T) == 0)
        apply_plane<T, WIDE(T)>(plane, result, size, own, shift, alpha);
    else
        apply_plane<T, 1>(plane, result, size, own, shift, alpha);
}

// ---- channels last: blockIdx.y is the item, blockIdx.z some of its columns. A column is LENGTH
// channels; the threads of a block lie over `columns` of them and over as many rows as there is room
// for, so that each thread keeps to its channels.

struct Place {
    u32 columns, column, row, rows;
    bool idle;
    __device__ Place(u32 all) {
        u32 first = blockIdx.z * THREADS;
        columns = all - first < THREADS ? all - first : THREADS;
        rows = THREADS / columns;
        row = threadIdx.x / columns;
        column = first + threadIdx.x % columns;
        idle = row >= rows;
    }
};

template <typename T, int LENGTH>
__device__ void sums_columns(const T *input, float2 *partial, u64 size, u32 channels) {
    __shared__ float2 shared[THREADS * LENGTH];
    Place place(channels / LENGTH);
    const Vector<T, LENGTH> *image = (const Vector<T, LENGTH> *)(input + size * channels * blockIdx.y);
    float first[LENGTH], sum[LENGTH], squares[LENGTH];
#pragma unroll
    for (int k = 0; k < LENGTH; k++) {
        first[k] = place.idle ? 0 : load(image[place.column].at[k]);
        sum[k] = squares[k] = 0;
    }
    if (!place.idle) {
        for (u64 row = (u64)blockIdx.x * place.rows + place.row; row < size;
             row += (u64)gridDim.x * place.rows) {
            Vector<T, LENGTH> vector = image[row * (channels / LENGTH) + place.column];
#pragma unroll
            for (int k = 0; k < LENGTH; k++) {
                float x = load(vector.at[k]) - first[k];
                sum[k] += x;
                squares[k] += x * x;
            }
        }
    }
#pragma unroll
    for (int k = 0; k < LENGTH; k++)
        shared[threadIdx.x * LENGTH + k] = make_float2(sum[k], squares[k]);
    __syncthreads();
    // The rows of a channel lie `width` apart.
    u32 width = place.columns * LENGTH;
    for (u32 at = threadIdx.x; at < width; at += THREADS) {
        float2 total = shared[at];
        for (u32 row = 1; row < place.rows; row++) {
            total.x += shared[row * width + at].x;
            total.y += shared[row * width + at].y;
        }
        u32 channel = blockIdx.z * THREADS * LENGTH + at;
        partial[((u64)blockIdx.y * gridDim.x + blockIdx.x) * channels + channel] = total;
    }
}

template <typename T, int LENGTH>
__device__ void apply_columns(const T *input, T *output, const float2 *statistics,
                              const float *bias, u64 size, u32 channels, float alpha) {
    Place place(channels / LENGTH);
    if (place.idle) return;
    u64 start = size * channels * blockIdx.y;
    const Vector<T, LENGTH> *image = (const Vector<T, LENGTH> *)(input + start);
    Vector<T, LENGTH> *result = (Vector<T, LENGTH> *)(output + start);
    float2 own[LENGTH];
    float shift[LENGTH];
#pragma unroll
    for (int k = 0; k < LENGTH; k++) {
        u32 channel = place.column * LENGTH + k;
        own[k] = statistics[(u64)blockIdx.y * channels + channel];
        shift[k] = bias[channel];
    }
    for (u64 row = (u64)blockIdx.x * place.rows + place.row; row < size;
         row += (u64)gridDim.x * place.rows) {
        u64 at = row * (channels / LENGTH) + place.column;
        Vector<T, LENGTH> vector = image[at];
#pragma unroll
        for (int k = 0; k < LENGTH; k++)
            store(activated(load(vector.at[k]), own[k].x, own[k].y, shift[k], alpha),
                  &vector.at[k]);
        result[at] = vector;
    }
}

// ---- between the two: one warp for each channel of each item

template <typename T>
__device__ void statistics(const T *input, const float2 *partial, const float *scale, float2 *found,
                           u64 size, u32 items, u32 channels, u32 blocks, u32 channels_last,
                           float epsilon) {
    u32 place = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (place >= items * channels) return;
    u32 item = place / channels, channel = place % channels;
    u64 from = channels_last ? (u64)item * blocks * channels + channel : (u64)place * blocks;
    u32 step = channels_last ? channels : 1;
    double sum = 0, squares = 0;
    for (u32 block = lane; block < blocks; block += 32) {
        float2 part = partial[from + (u64)block * step];
        sum += part.x;
        squares += part.y;
    }
    for (int half = 16; half > 0; half /= 2) {
        sum += __shfl_down_sync(~0u, sum, half);
        squares += __shfl_down_sync(~0u, squares, half);
    }
    if (lane == 0) {
        u64 first = channels_last ? (u64)item * size * channels + channel : (u64)place * size;
        double mean = sum / size, variance = squares / size - mean * mean;
        double factor = scale[channel] / sqrt((variance > 0 ? variance : 0.0) + epsilon);
        // What is not finite must show.
        if (variance != variance) factor = variance;
        found[place] = make_float2((float)(mean + load(input[first])), (float)factor);
    }
}

#define KERNEL(NAME) extern "C" __global__ void __launch_bounds__(THREADS) NAME
#define KERNELS(NAME, T)                                                                           \
    KERNEL(sums_planes_##NAME)(const T *input, float2 *partial, u64 size, u32 channels) {          \
        sums_planes(input, partial, size);                                                         \
    }                                                                                              \
    KERNEL(apply_planes_##NAME)(const T *input, T *output, const float2 *statistics,               \
                                const float *bias, u64 size, u32 channels, float alpha) {          \
        apply_planes(input, output, statistics, bias, size, channels, alpha);                      \
    }                                                                                              \
    KERNEL(sums_rows_##NAME)(const T *input, float2 *partial, u64 size, u32 channels) {            \
        sums_columns<T, WIDE(T)>(input, partial, size, channels);                                  \
    }                                                                                              \
    KERNEL(apply_rows_##NAME)(const T *input, T *output, const float2 *statistics,                 \
                              const float *bias, u64 size, u32 channels, float alpha) {            \
        apply_columns<T, WIDE(T)>(input, output, statistics, bias, size, channels, alpha);         \
    }                                                                                              \
    KERNEL(sums_odd_rows_##NAME)(const T *input, float2 *partial, u64 size, u32 channels) {        \
        sums_columns<T, 1>(input, partial, size, channels);                                        \
    }                                                                                              \
    KERNEL(apply_odd_rows_##NAME)(const T *input, T *output, const float2 *statistics,             \
                                  const float *bias, u64 size, u32 channels, float alpha) {        \
        apply_columns<T, 1>(input, output, statistics, bias, size, channels, alpha);               \
    }                                                                                              \
    KERNEL(statistics_##NAME)(const T *input, const float2 *partial, const float *scale,           \
                              float2 *found, u64 size, u32 items, u32 channels, u32 blocks,        \
                              u32 channels_last, float epsilon) {                                  \
        statistics(input, partial, scale, found, size, items, channels, blocks, channels_last,     \
                   epsilon);                                                                       \
    }

KERNELS(f32, float)
KERNELS(f16, half_bits)
KERNELS(bf16, bfloat_bits)
