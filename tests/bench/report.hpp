#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure.hpp"
#include "problem.hpp"

namespace bench {

/// Timings of all contestants on one problem, each for every number of threads: "rewind", the peers
/// by their names, "bound", and for the custom cell "lstm" (Rewind's).
struct NetworkResult {
  Kind kind;
  Mode mode;
  Sizes sizes;
  std::vector<Timing> timings;

  /// Null if this contestant did not take part.
  const Timing* find(const std::string& name, int threads) const;
  /// How many times as fast as `other` Rewind is, with the same number of threads; for "bound", the
  /// share of the bound that is reached.
  std::optional<double> against(const std::string& other, int threads) const;
};

/// A figure that is not about a whole network.
struct SingleResult {
  std::string name;
  double value;
  std::string unit;
};

/// A promised figure and what was measured; `where` names the worst case.
struct Requirement {
  std::string what;
  double measured;
  double bound;
  bool at_least;
  std::string where;

  bool holds() const { return at_least ? measured >= bound : measured <= bound; }
};

struct Report {
  std::vector<std::string> context;  // lines about the machine and the peers
  std::vector<NetworkResult> networks;
  std::vector<SingleResult> singles;

  const SingleResult* find(const std::string& name) const;
};

double geometric_mean(const std::vector<double>& values);

void print_header(const std::vector<std::string>& context);
void print_row(const NetworkResult& result);
void print_single(const SingleResult& result);
/// How steady the machine was: the time of the median sample relative to the fastest sample of the
/// same work.
std::string describe_pace(const Report& report);
/// Geometric means of the ratios over the shapes.
void print_means(const Report& report);

/// The figures that Rewind promises, if they were measured.
std::vector<Requirement> requirements(const Report& report);
/// Prints them all; false if one is missed.
bool print_requirements(const std::vector<Requirement>& list);

void write_json(const Report& report, const std::vector<Requirement>& list,
                const std::string& path);
/// Draws speeds relative to oneDNN's with one thread, a group of bars per shape; bars are cut at 3.
void write_chart(const Report& report, const std::string& path);

}  // namespace bench
