import { Module } from '@nestjs/common';
import { BodiesController } from './bodies.controller.js';
import { BudgetController } from './budget.controller.js';
import { HandlersController } from './handlers.controller.js';
import { OutboundController } from './outbound.controller.js';
import { PoliciesController } from './policies.controller.js';
import { SqlController } from './sql.controller.js';

@Module({
  controllers: [
    BodiesController,
    BudgetController,
    HandlersController,
    OutboundController,
    PoliciesController,
    SqlController,
  ],
})
export class LabModule {}
