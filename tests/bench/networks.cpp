#include "networks.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>

#include "onednn_peer.hpp"
#include "product_bound.hpp"
#include "rewind_contestant.hpp"
#include "threads.hpp"
#include "torch_peer.hpp"

namespace bench {

namespace {

/// Largest difference relative to the largest number, or infinity where counts differ or NaN shows.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 1, apart = 0;
  bool comparable = a.size() == b.size();
  for (std::size_t i = 0; comparable && i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i])));
    apart = std::max(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    comparable = !std::isnan(a[i]) && !std::isnan(b[i]);
  }
  return comparable ? apart / largest : INFINITY;
}

void expect_close(const std::string& what, double apart) {
  if (!(apart <= 1e-4)) {
    throw std::runtime_error(fmt::format("bench: {} differs by {:.3g}", what, apart));
  }
}

double compare(const Problem& problem, const std::string& peer, Contestant& ours, Contestant& other,
               Mode mode) {
  ours.run();
  other.run();
  const std::string what = fmt::format("{} of {} ({}), {}", name_of(mode), name_of(problem.kind),
                                       name_of(problem.sizes), peer);
  double apart = difference(ours.output(), other.output());
  expect_close(what + ": the output", apart);
  if (mode == Mode::training) {
    const double dx = difference(ours.input_gradient(), other.input_gradient());
    expect_close(what + ": the gradient of x", dx);
    apart = std::max(apart, dx);
    const auto a = ours.weight_gradients(), b = other.weight_gradients();
    for (std::size_t i = 0; i < b.size(); ++i) {
      for (const auto& [name, member] : {std::pair("w_x", &Weights::w_x),
                                         {"w_h", &Weights::w_h},
                                         {"bias", &Weights::bias},
                                         {"bias_h", &Weights::bias_h}}) {
        const double dw = difference(a.at(i).*member, b[i].*member);
        expect_close(fmt::format("{}: the gradient of {} {}", what, name, i), dw);
        apart = std::max(apart, dw);
      }
    }
  }
  return apart;
}

}  // namespace

std::vector<Sizes> all_sizes() {
  return {{9, 32, 8, 4, 1},           {20, 5, 1, 4, 1},      {28, 64, 28, 128, 1},
          {100, 32, 64, 128, 1},      {35, 20, 200, 200, 2}, {35, 20, 650, 650, 2},
          {100, 64, 256, 512, 1},     {128, 1, 64, 256, 1},  {784, 32, 1, 128, 1},
          {50, 32, 128, 256, 2, true}};
}

std::vector<Sizes> quick_sizes() {
  return {{9, 32, 8, 4, 1},      {20, 5, 1, 4, 1},      {28, 64, 28, 128, 1},
          {100, 32, 64, 128, 1}, {35, 20, 200, 200, 2}, {128, 1, 64, 256, 1}};
}

void check_agreement() {
  double onednn_apart = 0, torch_apart = 0;
  bool has_torch = false;
  for (const Sizes& sizes : {Sizes{5, 3, 7, 6, 1}, Sizes{4, 3, 6, 6, 2}, Sizes{4, 2, 7, 6, 2},
                             Sizes{4, 3, 5, 8, 2, true}}) {
    for (const Kind kind : {Kind::rnn, Kind::lstm, Kind::gru, Kind::gru_reset_before}) {
      for (const Mode mode : {Mode::inference, Mode::training}) {
        const Problem problem = make_problem(kind, sizes);
        const auto ours = make_rewind(problem, mode);
        const auto onednn = make_onednn(problem, mode);
        onednn_apart = std::max(onednn_apart, compare(problem, "oneDNN", *ours, *onednn, mode));
        if (const auto torch = make_torch(problem, mode)) {
          has_torch = true;
          torch_apart = std::max(torch_apart, compare(problem, "LibTorch", *ours, *torch, mode));
        }
      }
    }
  }
  fmt::print("outputs and gradients agree with oneDNN's to {:.1g}{}\n", onednn_apart,
             has_torch ? fmt::format(", with LibTorch's to {:.1g}", torch_apart) : "");
}

NetworkResult measure_network(Kind kind, Mode mode, const Sizes& sizes, const Effort& effort) {
  const Problem problem = make_problem(kind, sizes);
  std::vector<std::unique_ptr<Contestant>> contestants;
  std::vector<Entry> entries;
  const auto add = [&](const char* name, int threads, std::unique_ptr<Contestant> contestant) {
    if (contestant != nullptr) {
      entries.push_back({name, threads, [it = contestant.get()] { it->run(); }});
      contestants.push_back(std::move(contestant));
    }
  };
  for (const int threads : {1, 2}) {
    set_threads(threads);
    add("rewind", threads, make_rewind(problem, mode));
    if (kind == Kind::custom) {
      add("lstm", threads, make_rewind(make_problem(Kind::lstm, sizes), mode));
    } else {
      add("onednn", threads, make_onednn(problem, mode));
      add("torch", threads, make_torch(problem, mode));
    }
    add("bound", threads, make_product_bound(problem, mode, threads));
  }
  return {kind, mode, sizes, measure(entries, effort)};
}

}  // namespace bench
