// Instance normalisation and leaky ReLU of a tensor (batch, channel, ...) in two passes over it:
// `sums_*` adds up each block's share of a plane, `apply_*` normalises with them. A plane is one
// channel of one item, `size` elements; blockIdx.y is the plane, blockIdx.x the block in it.
//
// Sums are of differences to the plane's first element, f32 in a block and f64 over blocks: no digits
// are lost where the mean is far from zero. f16 and bf16 are read and written as such, and computed
// with as f32.
//
// kernel.ptx is made from this file by kernel.py, and has to be made again after every change.

typedef unsigned short half_bits;
struct bfloat_bits { unsigned short bits; };

const int THREADS = 256;

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
    // To the nearest, ties to even; not a number stays one.
    unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
    y->bits = x != x ? 0x7fff : rounded;
}

// As many elements as one access of 16 bytes takes.
template <typename T> struct __align__(16) Vector {
    static const int LENGTH = 16 / sizeof(T);
    T at[LENGTH];
};

// Adds up `x` and `y` over the block; the sums are in thread 0.
template <typename S> __device__ inline void add_up(S &x, S &y) {
    __shared__ S xs[THREADS / 32], ys[THREADS / 32];
    for (int step = 16; step > 0; step /= 2) {
        x += __shfl_down_sync(~0u, x, step);
        y += __shfl_down_sync(~0u, y, step);
    }
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (lane == 0) {
        xs[warp] = x;
        ys[warp] = y;
    }
    __syncthreads();
    if (warp == 0) {
        x = lane < THREADS / 32 ? xs[lane] : S(0);
        y = lane < THREADS / 32 ? ys[lane] : S(0);
        for (int step = THREADS / 64; step > 0; step /= 2) {
            x += __shfl_down_sync(~0u, x, step);
            y += __shfl_down_sync(~0u, y, step);
        }
    }
}

template <typename T>
__device__ void sums(const T *input, float2 *partial, unsigned long long size) {
    const int LENGTH = Vector<T>::LENGTH;
    const T *plane = input + size * blockIdx.y;
    float first = load(plane[0]), sum = 0, squares = 0;
    unsigned long long start = (unsigned long long)blockIdx.x * THREADS + threadIdx.x;
    unsigned long long stride = (unsigned long long)gridDim.x * THREADS;
    if (size % LENGTH == 0) {
        const Vector<T> *vectors = (const Vector<T> *)plane;
        for (unsigned long long i = start; i < size / LENGTH; i += stride) {
            Vector<T> vector = vectors[i];
#pragma unroll
            for (int k = 0; k < LENGTH; k++) {
                float x = load(vector.at[k]) - first;
                sum += x;
                squares += x * x;
            }
        }
    } else {
        for (unsigned long long i = start; i < size; i += stride) {
            float x = load(plane[i]) - first;
            sum += x;
            squares += x * x;
        }
    }
    add_up(sum, squares);
    if (threadIdx.x == 0) {
        partial[(unsigned long long)blockIdx.y * gridDim.x + blockIdx.x] = make_float2(sum, squares);
    }
}

template <typename T>
__device__ void apply(const T *input, T *output, const float2 *partial, const float *scale,
                      const float *bias, unsigned long long size, unsigned channels,
                      unsigned blocks, float epsilon, float alpha) {
    const int LENGTH = Vector<T>::LENGTH;
    const T *plane = input + size * blockIdx.y;
    T *result = output + size * blockIdx.y;
    __shared__ float shared_mean, shared_factor;
    double sum = 0, squares = 0;
    for (unsigned i = threadIdx.x; i < blocks; i += THREADS) {
        float2 part = partial[(unsigned long long)blockIdx.y * blocks + i];
        sum += part.x;
        squares += part.y;
    }
    add_up(sum, squares);
    unsigned channel = blockIdx.y % channels;
    if (threadIdx.x == 0) {
        double mean = sum / size, variance = squares / size - mean * mean;
        shared_mean = (float)(mean + load(plane[0]));
        shared_factor = (float)(scale[channel] * rsqrt(fmax(variance, 0.0) + epsilon));
    }
    __syncthreads();
    float mean = shared_mean, factor = shared_factor, shift = bias[channel];
    unsigned long long start = (unsigned long long)blockIdx.x * THREADS + threadIdx.x;
    unsigned long long stride = (unsigned long long)gridDim.x * THREADS;
    if (size % LENGTH == 0) {
        for (unsigned long long i = start; i < size / LENGTH; i += stride) {
            Vector<T> vector = ((const Vector<T> *)plane)[i];
#pragma unroll
            for (int k = 0; k < LENGTH; k++) {
                float y = (load(vector.at[k]) - mean) * factor + shift;
                store(y >= 0 ? y : alpha * y, &vector.at[k]);
            }
            ((Vector<T> *)result)[i] = vector;
        }
    } else {
        for (unsigned long long i = start; i < size; i += stride) {
            float y = (load(plane[i]) - mean) * factor + shift;
            store(y >= 0 ? y : alpha * y, &result[i]);
        }
    }
}

#define KERNELS(NAME, T)                                                                           \
    extern "C" __global__ void __launch_bounds__(THREADS)                                          \
        sums_##NAME(const T *input, float2 *partial, unsigned long long size) {                    \
        sums(input, partial, size);                                                                \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS)                                          \
        apply_##NAME(const T *input, T *output, const float2 *partial, const float *scale,         \
                     const float *bias, unsigned long long size, unsigned channels,                \
                     unsigned blocks, float epsilon, float alpha) {                                \
        apply(input, output, partial, scale, bias, size, channels, blocks, epsilon, alpha);        \
    }

KERNELS(f32, float)
KERNELS(f16, half_bits)
KERNELS(bf16, bfloat_bits)
