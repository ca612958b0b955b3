/* CRC-32C (Castagnoli), the checksum of event files: by the CPU's instruction where there is
 * one, else by a table.
 *
 *     uint32_t sum = crc32c(crc32c(0, head, 12), body, bytes);   // of both, one behind the other */
#ifndef CDL_IO_CRC32C_H
#define CDL_IO_CRC32C_H
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t sum, const void *data, size_t bytes);

#endif
