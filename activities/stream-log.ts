import type { StepLogs, StepLogWriter } from '../blobs/step-logs.ts';
import type { LlmStreamEvent } from '../contracts/llm.ts';

/**
 * What a model says as it comes, one JSON object per line, for those who read along. A later attempt goes on behind what the one before it had
 * written, with a line `{"type":"restarted"}`: from there on the answer is told anew.
 */
export class StreamLog {
  private readonly writer: StepLogWriter;
  private offset: number;

  private constructor(writer: StepLogWriter, offset: number) {
    this.writer = writer;
    this.offset = offset;
  }

  static async open(logs: StepLogs, callId: string, attempt: number): Promise<StreamLog> {
    const offset = await logs.size(callId);
    const log = new StreamLog(logs.openWriter(callId), offset);
    if (offset > 0) await log.line({ type: 'restarted', attempt });
    return log;
  }

  async write(event: Exclude<LlmStreamEvent, { type: 'finish' }>): Promise<void> {
    await this.line(event);
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  private async line(value: unknown): Promise<void> {
    // Led by a line break: what a killed attempt left may end in the middle of a line.
    const chunk = Buffer.from(`${this.offset > 0 ? '\n' : ''}${JSON.stringify(value)}`);
    await this.writer.write(chunk, this.offset);
    this.offset += chunk.length;
  }
}
