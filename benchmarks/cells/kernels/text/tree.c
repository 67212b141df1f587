/* Parses nested lists of numbers and names into a tree, byte by byte, one block a node, and frees it. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node { struct node *children, *next; char *name; double value; };
static char *text;
static const char *at;

static char *generate(char *to, int depth)
{
    *to++ = '(';
    for (int i = 0; i < 6; i++) {
        if (depth && random_bits() % 4)
            to = generate(to, depth - 1);
        else if (random_bits() % 2)
            to += sprintf(to, "name_%u", random_bits() % 10000);
        else
            to += sprintf(to, "%.4f", random_unit() * 100);
        *to++ = ' ';
    }
    *to++ = ')';
    *to = 0;
    return to;
}

void prepare(void) { generate(text = malloc(1 << 22), 5); }

static struct node *parse(void)
{
    struct node *node = calloc(1, sizeof *node);
    if (*at == '(') {
        struct node **tail = &node->children;
        for (at++; *at != ')'; at++) *tail = parse(), tail = &(*tail)->next;
        at++;
    } else if (*at >= '0' && *at <= '9') {
        char *end;
        node->value = strtod(at, &end);
        at = end;
    } else {
        size_t length = strcspn(at, " ()");
        node->name = strndup(at, length);
        at += length;
    }
    return node;
}

static double dismantle(struct node *node, int depth)
{
    double sum = node->value + (node->name ? (double) strlen(node->name) * depth : 0);
    for (struct node *child = node->children, *next; child; child = next) {
        next = child->next;
        sum += dismantle(child, depth + 1);
    }
    free(node->name);
    free(node);
    return sum;
}

double work(void)
{
    double sum = 0;
    for (int times = 0; times < 5; times++) at = text, sum += dismantle(parse(), 0);
    return sum;
}
