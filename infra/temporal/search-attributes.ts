import { Connection, isGrpcServiceError } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import { searchAttributes } from './search-attribute-types.ts';
import type { AttributeType } from './search-attribute-types.ts';

/** IndexedValueType of the server's API. */
const typeNumbers: Record<AttributeType, number> = { Keyword: 2, KeywordList: 7 };

/** gRPC's UNIMPLEMENTED. */
const unimplemented = 12;

/**
 * Registers what is missing of the search attributes in the namespace. A server that offers no such service is told of them elsewhere. Throws the connection's or the
 * server's error.
 */
export async function registerSearchAttributes(options: ConnectionOptions, namespace: string): Promise<void> {
  const connection = await Connection.connect(options);
  try {
    const present = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = Object.entries(searchAttributes).filter(([name]) => !(name in (present.customAttributes ?? {})));
    if (missing.length === 0) return;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, typeNumbers[type]])),
    });
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code !== unimplemented) throw error;
  } finally {
    await connection.close();
  }
}
