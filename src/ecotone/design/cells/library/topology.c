/* Topologies: Cartesian grids, graphs, distributed graphs. Ranks are never reordered: all of a node are equally near. */
#include "internal.h"

struct topology *topology_copy(const struct topology *from)
{
    if (!from) return NULL;
    struct topology *to = eco_allocate(sizeof *to);
    *to = *from;
    if (from->sizes) {
        to->sizes = eco_copy_ints(from->sizes, from->dimensions);
        to->periods = eco_copy_ints(from->periods, from->dimensions);
        to->coordinates = eco_copy_ints(from->coordinates, from->dimensions);
    }
    if (from->index) {
        to->index = eco_copy_ints(from->index, from->nodes);
        to->neighbours = eco_copy_ints(from->neighbours, from->edges);
    }
    if (from->in) {
        to->in = eco_copy_ints(from->in, from->in_count);
        to->in_weights = eco_copy_ints(from->in_weights, from->in_count);
        to->out = eco_copy_ints(from->out, from->out_count);
        to->out_weights = eco_copy_ints(from->out_weights, from->out_count);
    }
    return to;
}

void topology_free(struct topology *topology)
{
    if (!topology) return;
    int *all[] = {topology->sizes, topology->periods, topology->coordinates, topology->index, topology->neighbours,
                  topology->in, topology->out, topology->in_weights, topology->out_weights};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(topology);
}

static struct topology *topology_new(enum topology_kind kind)
{
    struct topology *topology = eco_allocate(sizeof *topology);
    *topology = (struct topology){.kind = kind};
    return topology;
}

static int check_topology(struct eco_comm *comm, enum topology_kind kind)
{
    int code = check_comm(comm);
    if (code) return code;
    return comm->topology && comm->topology->kind == kind ? MPI_SUCCESS : MPI_ERR_TOPOLOGY;
}

int MPI_Topo_test(MPI_Comm comm, int *kind)
{
    PASS(comm, check_comm(comm));
    REQUIRE(kind, comm, MPI_ERR_ARG);
    *kind = comm->topology ? (int) comm->topology->kind : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

/* The first `count` ranks get a communicator with the topology, the others none. */
static int comm_with(MPI_Comm comm, int count, struct topology *topology, MPI_Comm *result)
{
    int code = MPI_Comm_split(comm, comm->rank < count ? 0 : MPI_UNDEFINED, 0, result);
    if (!code && *result)
        (*result)->topology = topology;
    else
        topology_free(topology);
    return code;
}

/* ---- Cartesian ---- */

static long long product(const int *values, int count)
{
    long long result = 1;
    for (int i = 0; i < count; i++) result *= values[i];
    return result;
}

static void rank_to_coordinates(const struct topology *topology, int rank, int *coordinates)
{
    for (int i = topology->dimensions - 1; i >= 0; i--) {
        coordinates[i] = rank % topology->sizes[i];
        rank /= topology->sizes[i];
    }
}

/* Rank at the coordinates, which wrap around in periodic dimensions; MPI_PROC_NULL outside of the others. */
static int coordinates_to_rank(const struct topology *topology, const int *coordinates)
{
    int rank = 0;
    for (int i = 0; i < topology->dimensions; i++) {
        int size = topology->sizes[i], at = coordinates[i];
        if (topology->periods[i])
            at = (at % size + size) % size;
        else if (at < 0 || at >= size)
            return MPI_PROC_NULL;
        rank = rank * size + at;
    }
    return rank;
}

static struct topology *cart_new(int dimensions, const int *sizes, const int *periods, int rank)
{
    struct topology *topology = topology_new(TOPOLOGY_CART);
    topology->dimensions = dimensions;
    topology->sizes = eco_copy_ints(sizes, dimensions);
    topology->periods = eco_copy_ints(periods, dimensions);
    for (int i = 0; i < dimensions; i++) topology->periods[i] = periods[i] != 0;
    topology->coordinates = eco_allocate((size_t) dimensions * sizeof(int));
    rank_to_coordinates(topology, rank, topology->coordinates);
    return topology;
}

static int check_cart(MPI_Comm comm, int dimensions, const int *sizes, const int *periods)
{
    int code = check_comm(comm);
    if (code) return code;
    if (comm_is_inter(comm)) return MPI_ERR_COMM;
    if (dimensions < 0) return MPI_ERR_DIMS;
    if (dimensions && (!sizes || !periods)) return MPI_ERR_ARG;
    for (int i = 0; i < dimensions; i++)
        if (sizes[i] < 1) return MPI_ERR_DIMS;
    return product(sizes, dimensions) <= comm_size(comm) ? MPI_SUCCESS : MPI_ERR_DIMS;
}

int MPI_Cart_create(MPI_Comm comm, int dimensions, const int *sizes, const int *periods, int reorder, MPI_Comm *result)
{
    (void) reorder;
    PASS(comm, check_cart(comm, dimensions, sizes, periods));
    REQUIRE(result, comm, MPI_ERR_ARG);
    struct topology *topology = cart_new(dimensions, sizes, periods, comm->rank);
    return comm_with(comm, (int) product(sizes, dimensions), topology, result);
}

int MPI_Cartdim_get(MPI_Comm comm, int *dimensions)
{
    PASS(comm, check_topology(comm, TOPOLOGY_CART));
    REQUIRE(dimensions, comm, MPI_ERR_ARG);
    *dimensions = comm->topology->dimensions;
    return MPI_SUCCESS;
}

int MPI_Cart_get(MPI_Comm comm, int room, int *sizes, int *periods, int *coordinates)
{
    PASS(comm, check_topology(comm, TOPOLOGY_CART));
    const struct topology *topology = comm->topology;
    REQUIRE(room >= topology->dimensions, comm, MPI_ERR_ARG);
    for (int i = 0; i < topology->dimensions; i++) {
        sizes[i] = topology->sizes[i];
        periods[i] = topology->periods[i];
        coordinates[i] = topology->coordinates[i];
    }
    return MPI_SUCCESS;
}

int MPI_Cart_rank(MPI_Comm comm, const int *coordinates, int *rank)
{
    PASS(comm, check_topology(comm, TOPOLOGY_CART));
    REQUIRE(rank && (coordinates || comm->topology->dimensions == 0), comm, MPI_ERR_ARG);
    *rank = coordinates_to_rank(comm->topology, coordinates);
    REQUIRE(*rank != MPI_PROC_NULL, comm, MPI_ERR_ARG);
    return MPI_SUCCESS;
}

int MPI_Cart_coords(MPI_Comm comm, int rank, int room, int *coordinates)
{
    PASS(comm, check_topology(comm, TOPOLOGY_CART));
    REQUIRE(rank >= 0 && rank < comm_size(comm), comm, MPI_ERR_RANK);
    REQUIRE(room >= comm->topology->dimensions, comm, MPI_ERR_ARG);
    rank_to_coordinates(comm->topology, rank, coordinates);
    return MPI_SUCCESS;
}

static int cart_neighbour(const struct topology *topology, int direction, int distance)
{
    int *coordinates = eco_copy_ints(topology->coordinates, topology->dimensions);
    coordinates[direction] += distance;
    int rank = coordinates_to_rank(topology, coordinates);
    free(coordinates);
    return rank;
}

int MPI_Cart_shift(MPI_Comm comm, int direction, int distance, int *source, int *target)
{
    PASS(comm, check_topology(comm, TOPOLOGY_CART));
    REQUIRE(source && target, comm, MPI_ERR_ARG);
    REQUIRE(direction >= 0 && direction < comm->topology->dimensions, comm, MPI_ERR_ARG);
    *source = cart_neighbour(comm->topology, direction, -distance);
    *target = cart_neighbour(comm->topology, direction, distance);
    return MPI_SUCCESS;
}

int MPI_Cart_sub(MPI_Comm comm, const int *remain, MPI_Comm *result)
{
    PASS(comm, check_topology(comm, TOPOLOGY_CART));
    REQUIRE(result, comm, MPI_ERR_ARG);
    const struct topology *topology = comm->topology;
    int *sizes = eco_copy_ints(topology->sizes, topology->dimensions), kept = 0, color = 0, key = 0;
    int *periods = eco_copy_ints(topology->periods, topology->dimensions);
    for (int i = 0; i < topology->dimensions; i++) {
        if (remain[i]) {
            key = key * topology->sizes[i] + topology->coordinates[i];
            sizes[kept] = topology->sizes[i];
            periods[kept++] = topology->periods[i];
        } else {
            color = color * topology->sizes[i] + topology->coordinates[i];
        }
    }
    int code = MPI_Comm_split(comm, color, key, result);
    if (!code) (*result)->topology = cart_new(kept, sizes, periods, key);
    free(sizes);
    free(periods);
    return code;
}

int MPI_Cart_map(MPI_Comm comm, int dimensions, const int *sizes, const int *periods, int *rank)
{
    PASS(comm, check_cart(comm, dimensions, sizes, periods));
    REQUIRE(rank, comm, MPI_ERR_ARG);
    *rank = comm->rank < product(sizes, dimensions) ? comm->rank : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

/* ---- Balanced dimensions ---- */

/* A search for factors whose largest and smallest differ least and, of those, whose smallest are largest: what MPICH
 * gives, and what "as close to each other as possible" is tested for. Sizes do not increase. */
struct search {
    int count, divisor_count;
    int *divisors, *current, *best;
    bool found;
};

static int *list_divisors(int number, int *count)
{
    int *small = eco_allocate(2 * sizeof(int)), used = 0, room = 2;
    for (int i = 1; (long long) i * i <= number; i++) {
        if (number % i) continue;
        if (used + 2 > room) small = realloc(small, (size_t) (room *= 2) * sizeof *small);
        small[used++] = i;
        if (i != number / i) small[used++] = number / i;
    }
    *count = used;
    return small;
}

static int ascending(const void *a, const void *b) { return *(const int *) a - *(const int *) b; }

static bool is_better(const struct search *search)
{
    if (!search->found) return true;
    int last = search->count - 1;
    int spread = search->current[0] - search->current[last], best = search->best[0] - search->best[last];
    if (spread != best) return spread < best;
    for (int i = last; i >= 0; i--)
        if (search->current[i] != search->best[i]) return search->current[i] > search->best[i];
    return false;
}

static bool power_reaches(int base, int exponent, int goal)
{
    long long power = 1;
    for (int i = 0; i < exponent && power < goal; i++) power *= base;
    return power >= goal;
}

/* Can what is left still be no further below the first size than the best spread? Its smallest is at most its mean. */
static bool is_hopeless(const struct search *search, int depth, int rest)
{
    if (!search->found) return false;
    int least = search->current[0] - (search->best[0] - search->best[search->count - 1]);
    if (least <= 1) return false;
    long long power = 1;
    for (int i = depth; i < search->count && power <= rest; i++) power *= least;
    return power > rest;
}

static void balance(struct search *search, int depth, int rest)
{
    int left = search->count - depth, most = depth ? search->current[depth - 1] : rest;
    if (left == 0) {
        if (rest == 1 && is_better(search)) {
            memcpy(search->best, search->current, (size_t) search->count * sizeof *search->best);
            search->found = true;
        }
        return;
    }
    for (int i = 0; i < search->divisor_count && search->divisors[i] <= most; i++) {
        int size = search->divisors[i];
        if (rest % size || !power_reaches(size, left, rest)) continue;
        search->current[depth] = size;
        if (is_hopeless(search, depth + 1, rest / size)) {
            if (depth == 0) return; /* larger first sizes are further off still */
            continue;
        }
        balance(search, depth + 1, rest / size);
    }
}

static int *balanced(int nodes, int count)
{
    struct search search = {.count = count};
    search.divisors = list_divisors(nodes, &search.divisor_count);
    qsort(search.divisors, (size_t) search.divisor_count, sizeof *search.divisors, ascending);
    search.current = eco_allocate((size_t) count * sizeof(int));
    search.best = eco_allocate((size_t) count * sizeof(int));
    balance(&search, 0, nodes);
    free(search.divisors);
    free(search.current);
    return search.best;
}

int MPI_Dims_create(int nodes, int dimensions, int *sizes)
{
    int fixed = 1, open = 0;
    REQUIRE(nodes >= 1, NULL, MPI_ERR_ARG);
    REQUIRE(dimensions >= 0 && (sizes || !dimensions), NULL, MPI_ERR_DIMS);
    for (int i = 0; i < dimensions; i++) {
        REQUIRE(sizes[i] >= 0, NULL, MPI_ERR_DIMS);
        if (sizes[i])
            fixed *= sizes[i];
        else
            open++;
    }
    REQUIRE(nodes % fixed == 0 && (open || fixed == nodes || dimensions == 0), NULL, MPI_ERR_DIMS);
    if (!open) return MPI_SUCCESS;
    int *found = balanced(nodes / fixed, open), next = 0;
    for (int i = 0; i < dimensions; i++)
        if (!sizes[i]) sizes[i] = found[next++];
    free(found);
    return MPI_SUCCESS;
}

/* ---- Graphs that every process knows whole ---- */

static int check_graph(MPI_Comm comm, int nodes, const int *index, const int *edges)
{
    int code = check_comm(comm);
    if (code) return code;
    if (comm_is_inter(comm)) return MPI_ERR_COMM;
    if (nodes < 0 || nodes > comm_size(comm) || (nodes && (!index || !edges))) return MPI_ERR_ARG;
    for (int i = 0; i < nodes; i++)
        if (index[i] < (i ? index[i - 1] : 0)) return MPI_ERR_ARG;
    for (int i = 0; nodes && i < index[nodes - 1]; i++)
        if (edges[i] < 0 || edges[i] >= nodes) return MPI_ERR_RANK;
    return MPI_SUCCESS;
}

int MPI_Graph_create(MPI_Comm comm, int nodes, const int *index, const int *edges, int reorder, MPI_Comm *result)
{
    (void) reorder;
    PASS(comm, check_graph(comm, nodes, index, edges));
    REQUIRE(result, comm, MPI_ERR_ARG);
    *result = MPI_COMM_NULL;
    if (!nodes) return MPI_SUCCESS;
    struct topology *topology = topology_new(TOPOLOGY_GRAPH);
    topology->nodes = nodes;
    topology->edges = index[nodes - 1];
    topology->index = eco_copy_ints(index, nodes);
    topology->neighbours = eco_copy_ints(edges, topology->edges);
    return comm_with(comm, nodes, topology, result);
}

int MPI_Graphdims_get(MPI_Comm comm, int *nodes, int *edges)
{
    PASS(comm, check_topology(comm, TOPOLOGY_GRAPH));
    *nodes = comm->topology->nodes;
    *edges = comm->topology->edges;
    return MPI_SUCCESS;
}

int MPI_Graph_get(MPI_Comm comm, int index_room, int edge_room, int *index, int *edges)
{
    PASS(comm, check_topology(comm, TOPOLOGY_GRAPH));
    const struct topology *topology = comm->topology;
    REQUIRE(index_room >= topology->nodes && edge_room >= topology->edges, comm, MPI_ERR_ARG);
    memcpy(index, topology->index, (size_t) topology->nodes * sizeof *index);
    memcpy(edges, topology->neighbours, (size_t) topology->edges * sizeof *edges);
    return MPI_SUCCESS;
}

static int graph_neighbours(const struct topology *topology, int rank, const int **first)
{
    int start = rank ? topology->index[rank - 1] : 0;
    *first = topology->neighbours + start;
    return topology->index[rank] - start;
}

int MPI_Graph_neighbors_count(MPI_Comm comm, int rank, int *count)
{
    const int *first;
    PASS(comm, check_topology(comm, TOPOLOGY_GRAPH));
    REQUIRE(rank >= 0 && rank < comm->topology->nodes, comm, MPI_ERR_RANK);
    *count = graph_neighbours(comm->topology, rank, &first);
    return MPI_SUCCESS;
}

int MPI_Graph_neighbors(MPI_Comm comm, int rank, int room, int *neighbours)
{
    const int *first;
    PASS(comm, check_topology(comm, TOPOLOGY_GRAPH));
    REQUIRE(rank >= 0 && rank < comm->topology->nodes, comm, MPI_ERR_RANK);
    int count = graph_neighbours(comm->topology, rank, &first);
    memcpy(neighbours, first, (size_t) (count < room ? count : room) * sizeof *neighbours);
    return MPI_SUCCESS;
}

int MPI_Graph_map(MPI_Comm comm, int nodes, const int *index, const int *edges, int *rank)
{
    PASS(comm, check_graph(comm, nodes, index, edges));
    *rank = comm->rank < nodes ? comm->rank : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

/* ---- Graphs of which every process knows a part ---- */

static int *copy_weights(const int *weights, int count)
{
    if (weights != MPI_UNWEIGHTED && weights != MPI_WEIGHTS_EMPTY && (weights || !count))
        return eco_copy_ints(weights, count);
    int *ones = eco_allocate((size_t) count * sizeof *ones);
    for (int i = 0; i < count; i++) ones[i] = 1;
    return ones;
}

static int check_ranks(int count, const int *ranks, MPI_Comm comm)
{
    if (count < 0 || (count && !ranks)) return MPI_ERR_ARG;
    for (int i = 0; i < count; i++)
        if (ranks[i] < 0 || ranks[i] >= comm_size(comm)) return MPI_ERR_RANK;
    return MPI_SUCCESS;
}

int MPI_Dist_graph_create_adjacent(MPI_Comm comm, int in_count, const int *in, const int *in_weights, int out_count,
                                   const int *out, const int *out_weights, MPI_Info info, int reorder,
                                   MPI_Comm *result)
{
    (void) info, (void) reorder;
    PASS(comm, check_comm(comm));
    REQUIRE(result && !comm_is_inter(comm), comm, MPI_ERR_ARG);
    PASS(comm, check_ranks(in_count, in, comm));
    PASS(comm, check_ranks(out_count, out, comm));
    struct topology *topology = topology_new(TOPOLOGY_DIST_GRAPH);
    topology->weighted = in_weights != MPI_UNWEIGHTED || out_weights != MPI_UNWEIGHTED;
    topology->in_count = in_count;
    topology->in = eco_copy_ints(in, in_count);
    topology->in_weights = copy_weights(in_weights, in_count);
    topology->out_count = out_count;
    topology->out = eco_copy_ints(out, out_count);
    topology->out_weights = copy_weights(out_weights, out_count);
    return comm_with(comm, comm_size(comm), topology, result);
}

/* An edge as it travels: from, to, weight. */
struct edge {
    int from, to, weight;
};

/* Every edge of every process, in the order of the processes that told them; caller frees. */
static struct edge *gather_edges(MPI_Comm comm, const struct edge *mine, int count, int *total)
{
    int size = comm_size(comm), ints = 3 * count;
    int *counts = eco_allocate((size_t) size * sizeof *counts), *places = eco_allocate((size_t) size * sizeof *places);
    MPI_Allgather(&ints, 1, MPI_INT, counts, 1, MPI_INT, comm);
    *total = 0;
    for (int i = 0; i < size; i++) {
        places[i] = *total;
        *total += counts[i];
    }
    struct edge *all = eco_allocate((size_t) *total * sizeof(int));
    MPI_Allgatherv(mine, ints, MPI_INT, all, counts, places, MPI_INT, comm);
    *total /= 3;
    free(counts);
    free(places);
    return all;
}

static void pick_edges(struct topology *topology, const struct edge *edges, int count, int rank)
{
    topology->in = eco_allocate((size_t) count * sizeof(int));
    topology->in_weights = eco_allocate((size_t) count * sizeof(int));
    topology->out = eco_allocate((size_t) count * sizeof(int));
    topology->out_weights = eco_allocate((size_t) count * sizeof(int));
    for (int i = 0; i < count; i++) {
        if (edges[i].to == rank) {
            topology->in_weights[topology->in_count] = edges[i].weight;
            topology->in[topology->in_count++] = edges[i].from;
        }
        if (edges[i].from == rank) {
            topology->out_weights[topology->out_count] = edges[i].weight;
            topology->out[topology->out_count++] = edges[i].to;
        }
    }
}

int MPI_Dist_graph_create(MPI_Comm comm, int count, const int *sources, const int *degrees, const int *targets,
                          const int *weights, MPI_Info info, int reorder, MPI_Comm *result)
{
    (void) info, (void) reorder;
    int mine = 0, total, next = 0;
    PASS(comm, check_comm(comm));
    REQUIRE(result && !comm_is_inter(comm), comm, MPI_ERR_ARG);
    PASS(comm, check_ranks(count, sources, comm));
    for (int i = 0; i < count; i++) mine += degrees[i];
    PASS(comm, check_ranks(mine, targets, comm));
    int *weight = copy_weights(weights, mine);
    struct edge *edges = eco_allocate((size_t) mine * sizeof *edges);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < degrees[i]; j++, next++)
            edges[next] = (struct edge){sources[i], targets[next], weight[next]};
    struct edge *all = gather_edges(comm, edges, mine, &total);
    struct topology *topology = topology_new(TOPOLOGY_DIST_GRAPH);
    topology->weighted = weights != MPI_UNWEIGHTED;
    pick_edges(topology, all, total, comm->rank);
    free(weight);
    free(edges);
    free(all);
    return comm_with(comm, comm_size(comm), topology, result);
}

int MPI_Dist_graph_neighbors_count(MPI_Comm comm, int *in_count, int *out_count, int *weighted)
{
    PASS(comm, check_topology(comm, TOPOLOGY_DIST_GRAPH));
    *in_count = comm->topology->in_count;
    *out_count = comm->topology->out_count;
    *weighted = comm->topology->weighted;
    return MPI_SUCCESS;
}

static void give(int *to, const int *from, int room, int count)
{
    if (!to || to == MPI_UNWEIGHTED || to == MPI_WEIGHTS_EMPTY) return;
    memcpy(to, from, (size_t) (count < room ? count : room) * sizeof *to);
}

int MPI_Dist_graph_neighbors(MPI_Comm comm, int in_room, int *in, int *in_weights, int out_room, int *out,
                             int *out_weights)
{
    PASS(comm, check_topology(comm, TOPOLOGY_DIST_GRAPH));
    const struct topology *topology = comm->topology;
    give(in, topology->in, in_room, topology->in_count);
    give(out, topology->out, out_room, topology->out_count);
    if (!topology->weighted) return MPI_SUCCESS;
    give(in_weights, topology->in_weights, in_room, topology->in_count);
    give(out_weights, topology->out_weights, out_room, topology->out_count);
    return MPI_SUCCESS;
}

/* ---- For the neighbourhood collectives ---- */

static int cart_neighbours(const struct topology *topology, int **ranks)
{
    int count = 2 * topology->dimensions;
    *ranks = eco_allocate((size_t) count * sizeof **ranks);
    for (int i = 0; i < topology->dimensions; i++) {
        (*ranks)[2 * i] = cart_neighbour(topology, i, -1);
        (*ranks)[2 * i + 1] = cart_neighbour(topology, i, 1);
    }
    return count;
}

static int neighbours(struct eco_comm *comm, const int *own, int own_count, int **ranks)
{
    const struct topology *topology = comm->topology;
    if (topology->kind == TOPOLOGY_CART) return cart_neighbours(topology, ranks);
    const int *first = own;
    int count = topology->kind == TOPOLOGY_GRAPH ? graph_neighbours(topology, comm->rank, &first) : own_count;
    *ranks = eco_copy_ints(first, count);
    return count;
}

int topology_sources(struct eco_comm *comm, int **ranks)
{
    return neighbours(comm, comm->topology->in, comm->topology->in_count, ranks);
}

int topology_targets(struct eco_comm *comm, int **ranks)
{
    return neighbours(comm, comm->topology->out, comm->topology->out_count, ranks);
}
